/**
 * Bugs that a test plants on purpose, to prove that what guards the promises would find them. None
 * is ever planted outside of tests: `SCRIPTA_PLANTED_BUG` names one for a process, `plant` for this
 * one. Unplanted, asking costs one comparison.
 */
export type PlantedBug =
  | 'acknowledge-before-append'
  | 'skip-position-guard'
  | 'checkpoint-before-documents'
  | 'leave-room-late'
  | 'drop-resume-page'
  | 'reuse-n'
  | 'read-marks-go-back'
  | 'gap-on-resubscribe'
  | 'dedup-only-in-memory'
  | 'two-owners-of-a-partition'
  | 'drop-emission';

let planted: string | undefined = process.env['SCRIPTA_PLANTED_BUG'];

/** Whether this bug was planted in this process. */
export const isPlanted = (bug: PlantedBug): boolean => planted === bug;

/** Plants a bug in this process, or with nothing takes it out again. */
export const plant = (bug?: PlantedBug): void => {
  planted = bug;
};
