import { reject } from '#domain';
import type { Checkpoint } from '#platform';

/** The place before the first event: where a device stands whose log was still empty. */
export const ORIGIN: Checkpoint = { position: -1, eventId: '' };

const ORIGIN_CURSOR = 'origin';
const CURSOR = /^(0|[1-9]\d{0,15})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** The cursor of a place: opaque to clients, checkable after a restore of the log. */
export const cursorOf = ({ position, eventId }: Checkpoint): string =>
  position < 0 ? ORIGIN_CURSOR : `${position}.${eventId}`;

/** The place that a cursor names. Throws `resync_required` where it names none. */
export const placeOf = (cursor: string): Checkpoint => {
  if (cursor === ORIGIN_CURSOR) return ORIGIN;
  const [, position, eventId] = CURSOR.exec(cursor) ?? [];
  return position === undefined || eventId === undefined || !Number.isSafeInteger(+position)
    ? resync()
    : { position: Number(position), eventId };
};

/** Refuses a cursor that the log does not know. */
export const resync = (): never =>
  reject(
    'resync_required',
    'The log does not know this cursor; fetch lists and history anew and resume with null.',
  );
