import { decodeFrame, frameIsSound, frameSize, FRAME_BYTES_MAX, type Frame } from './frame.js';
import { eventBytesOf, offsetIn, readAt, UnusableLog, type Segment } from './segments.js';

/** A run of sound frames, or of bytes that are none. Positions are those of the whole log. */
export type Stretch = Readonly<{ from: number; to: number; frames: readonly Frame[] }>;

/** What is read at once where all is sound. */
const WINDOW_BYTES = 4 * 1024 * 1024;

const soundFrom = (bytes: Buffer, from: number, base: number): Stretch => {
  const frames: Frame[] = [];
  let at = from;
  while (frameIsSound(bytes, at, base)) {
    frames.push(decodeFrame(bytes, at, base));
    at += frameSize(bytes, at);
  }
  return { from: base + from, to: base + at, frames };
};

/** Runs of frames and of damage by turns, once some frame was found unsound. */
function* sortedOut(bytes: Buffer, base: number): Generator<Stretch> {
  let at = 0;
  while (at < bytes.length) {
    const unsound = at;
    while (at < bytes.length && !frameIsSound(bytes, at, base)) at += 1;
    if (at > unsound) yield { from: base + unsound, to: base + at, frames: [] };
    const sound = soundFrom(bytes, at, base);
    if (sound.frames.length > 0) yield sound;
    at = sound.to - base;
  }
}

/** Checks every frame of a segment against its checksum and its place. */
export async function* checkSegment(segment: Segment): AsyncGenerator<Stretch> {
  const end = segment.start + (await eventBytesOf(segment));
  let at = segment.start;
  let wanted = WINDOW_BYTES;
  while (at < end) {
    const bytes = await readAt(segment, at, Math.min(wanted, end - at));
    const sound = soundFrom(bytes, 0, at);
    if (sound.frames.length > 0) {
      yield sound;
      at = sound.to;
      wanted = WINDOW_BYTES;
      continue;
    }
    const size = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
    if (wanted < size && size <= FRAME_BYTES_MAX && bytes.length < end - at) {
      wanted = size;
      continue;
    }
    // What stands behind an unsound frame decides whether it is a torn tail or damage.
    yield* sortedOut(await readAt(segment, at, end - at), at);
    return;
  }
}

/**
 * Where the last whole append of the last segment ends. What stands behind it was never acknowledged:
 * one write that was cut short, of which any part may have reached the disk. A later group is written
 * only when the one before it is synced, so a frame of a later group proves that what is unsound
 * before it had been acknowledged: that is damage, and refused.
 */
export const soundEnd = async (segment: Segment): Promise<number> => {
  let end = segment.start;
  let unsound: number | undefined;
  for await (const { from, frames } of checkSegment(segment)) {
    if (frames.length === 0) unsound ??= from;
    for (const { position, size, group, last } of frames) {
      if (unsound !== undefined && group > unsound) throw damaged(segment, unsound);
      if (unsound === undefined && last) end = position + size;
    }
  }
  return end;
};

/** Damage to events that were acknowledged. */
export const damaged = (segment: Segment, position: number): UnusableLog =>
  new UnusableLog(
    `${segment.path} is damaged at offset ${offsetIn(segment, position)} (position ${position}): the ` +
      'event there fails its checksum though it had been synced. Restore the folder from a backup; ' +
      '`scrub` lists every damaged place.',
  );

/** A log that is shorter than what its index has seen on disk. */
export const cutShort = (folder: string, end: number, acknowledged: number): UnusableLog =>
  new UnusableLog(
    `${folder}: the log's sound events end at position ${end}, but events up to position ` +
      `${acknowledged} had been acknowledged. Restore the folder from a backup; or, to go on without ` +
      `the missing events, delete the folder ${folder}/index.`,
  );
