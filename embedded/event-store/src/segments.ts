import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** First bytes of each segment: a magic, and the version of the format. */
const MAGIC = 'SCRIPTA-LOG';
/** Raised when the form of a frame changes. Since 2 a frame's place is under its checksum. */
export const FORMAT_VERSION = 2;
/** Bytes before the first frame of a segment; not counted in positions. */
export const SEGMENT_HEAD_BYTES = 16;

/** A start that must not go on: says which folder, where, and what to do. */
export class UnusableLog extends Error {
  override readonly name = 'UnusableLog';
}

/** One file of the log. */
export type Segment = { path: string; start: number; file: FileHandle };

const nameOf = (start: number): string => `${String(start).padStart(16, '0')}.segment`;

const headOf = (): Buffer => {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt32LE(FORMAT_VERSION, 12);
  return head;
};

/** Makes a folder's entries survive a power cut. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Makes the segment that begins at a position, its head and its name synced. */
export const createSegment = async (folder: string, start: number): Promise<Segment> => {
  const path = join(folder, nameOf(start));
  const file = await open(path, 'w+');
  try {
    await file.writeFile(headOf());
    await file.sync();
    await syncFolder(folder);
  } catch (error) {
    await file.close();
    throw error;
  }
  return { path, start, file };
};

const checkHead = async ({ path, file }: Segment): Promise<'sound' | 'torn'> => {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
  const { bytesRead } = await file.read(head, 0, SEGMENT_HEAD_BYTES, 0);
  if (bytesRead < SEGMENT_HEAD_BYTES) return 'torn';
  if (head.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new UnusableLog(
      `${path} is damaged at offset 0: it does not begin as a segment of this log. ` +
        'Move it away if it is a stray, or restore the folder from a backup.',
    );
  const version = head.readUInt32LE(12);
  if (version === FORMAT_VERSION) return 'sound';
  throw new UnusableLog(
    `${path} was written by ${version > FORMAT_VERSION ? 'a newer' : 'an older'} version ` +
      `(format ${version}; this one reads ${FORMAT_VERSION}). Start that version instead.`,
  );
};

/** Lets go of segments. */
export const closeAll = async (segments: readonly Segment[]): Promise<void> => {
  for (const { file } of segments) await file.close();
};

/** Bytes of events in a segment. */
export const eventBytesOf = async ({ file }: Segment): Promise<number> =>
  Math.max(0, (await file.stat()).size - SEGMENT_HEAD_BYTES);

const checkSeam = async (before: Segment | undefined, segment: Segment): Promise<void> => {
  const end = before ? before.start + (await eventBytesOf(before)) : 0;
  if (end === segment.start) return;
  throw new UnusableLog(
    before
      ? `${before.path} ends at position ${end}, but the next segment ${segment.path} begins at ` +
          `${segment.start}. Restore the folder from a backup.`
      : `${segment.path} begins at position ${segment.start}: the segments before it are missing. ` +
          'Restore the folder from a backup.',
  );
};

/**
 * Opens all segments of a folder, in order, and checks that each begins where the one before it ends.
 * Only the last may be without a whole head: its making was cut short, nothing is in it.
 */
export const openSegments = async (
  folder: string,
  mode: 'r' | 'r+',
): Promise<{ segments: Segment[]; unfinished: Segment | undefined }> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.segment')).toSorted();
  const segments: Segment[] = [];
  try {
    for (const name of names) {
      const path = join(folder, name);
      const segment = { path, start: Number.parseInt(name, 10), file: await open(path, mode) };
      segments.push(segment);
      const isWhole = (await checkHead(segment)) === 'sound';
      await checkSeam(segments.at(-2), segment);
      if (isWhole) continue;
      if (name === names.at(-1)) return { segments: segments.slice(0, -1), unfinished: segment };
      throw new UnusableLog(`${path} is cut short. Restore the folder from a backup.`);
    }
    return { segments, unfinished: undefined };
  } catch (error) {
    await closeAll(segments);
    throw error;
  }
};

/** Reads bytes of a segment from a position of the log on; fewer where the file ends. */
export const readAt = async (
  segment: Segment,
  position: number,
  length: number,
): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafe(length);
  const offset = SEGMENT_HEAD_BYTES + position - segment.start;
  let read = 0;
  while (read < length) {
    const { bytesRead } = await segment.file.read(bytes, read, length - read, offset + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return bytes.subarray(0, read);
};

/** The offset of a position in its segment's file. */
export const offsetIn = (segment: Segment, position: number): number =>
  SEGMENT_HEAD_BYTES + position - segment.start;
