import { Scene } from './scene.js';

/** What became of a row: what is off, what was measured, or why it could not be tried here. */
export type Outcome = Readonly<{
  faults: readonly string[];
  /** From the fault's end until everybody was shown something that was said after it. */
  recoveryMs?: number;
  note?: string;
  skipped?: string;
}>;

/** A row of the fault matrix. */
export type Case = Readonly<{
  row: string;
  who: string;
  fault: string;
  run: (seed: number) => Promise<Outcome>;
}>;

/** Opens a scene, does the fault under load, and compares everything at the end. */
export const onScene = async (
  seed: number,
  fault: (scene: Scene) => Promise<Omit<Outcome, 'faults'>>,
  options: Parameters<typeof Scene.open>[1] = {},
): Promise<Outcome> => {
  const scene = await Scene.open(seed, options);
  try {
    scene.talk();
    await scene.flows();
    const outcome = await fault(scene);
    return { ...outcome, faults: await scene.faults() };
  } finally {
    await scene.close();
  }
};
