import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** First bytes of each segment: a magic, and the version of the format. */
const MAGIC = 'SCRIPTA-LOG';
/** Raised when an older server could no longer read the log. */
export const FORMAT_VERSION = 1;
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
export const syncFolder = async (folder: string): Promise<void> => {
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
  await file.write(headOf(), 0, SEGMENT_HEAD_BYTES, 0);
  await file.sync();
  await syncFolder(folder);
  return { path, start, file };
};

const checkHead = async (segment: Segment): Promise<'sound' | 'torn'> => {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
  const { bytesRead } = await segment.file.read(head, 0, SEGMENT_HEAD_BYTES, 0);
  if (bytesRead < SEGMENT_HEAD_BYTES) return 'torn';
  if (head.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new UnusableLog(
      `${segment.path} is not a segment of this log. Move it away, or restore the folder from a backup.`,
    );
  const version = head.readUInt32LE(12);
  if (version > FORMAT_VERSION)
    throw new UnusableLog(
      `${segment.path} was written by a newer version (format ${version}; this one reads up to ` +
        `${FORMAT_VERSION}). Start that version instead.`,
    );
  return 'sound';
};

/** Opens all segments of a folder, in order. A last one that was not finished is made anew. */
export const openSegments = async (folder: string): Promise<Segment[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.segment')).toSorted();
  const segments: Segment[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const segment = { path, start: Number.parseInt(name, 10), file: await open(path, 'r+') };
    const head = await checkHead(segment).catch(async (error: unknown) => {
      for (const { file } of [...segments, segment]) await file.close();
      throw error;
    });
    if (head === 'sound') {
      segments.push(segment);
      continue;
    }
    await segment.file.close();
    if (name !== names.at(-1))
      throw new UnusableLog(`${path} is cut short. Restore the folder from a backup.`);
    segments.push(await createSegment(folder, segment.start));
  }
  return segments.length > 0 ? segments : [await createSegment(folder, 0)];
};
