import { openSegments, SEGMENT_HEAD_BYTES } from './segments.js';
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN, frameIsSound } from './frame.js';

/** What a scrub found: how much is sound, and each place that is not. */
export type ScrubReport = Readonly<{ events: number; bytes: number; damage: readonly string[] }>;

/** Bytes read at once. */
const READ_BYTES = 4 * 1024 * 1024;

/** Checks every event of a data folder against its checksum; `progress` hears of bytes checked. */
export const scrub = async (
  folder: string,
  progress: (checked: number, total: number) => void,
): Promise<ScrubReport> => {
  const segments = await openSegments(folder);
  const sizes = await Promise.all(segments.map(async ({ file }) => (await file.stat()).size));
  const total = sizes.reduce((sum, size) => sum + size - SEGMENT_HEAD_BYTES, 0);
  const damage: string[] = [];
  let events = 0;
  let checked = 0;
  for (const [at, { path, file }] of segments.entries()) {
    const size = sizes[at] ?? 0;
    let offset = SEGMENT_HEAD_BYTES;
    while (offset < size) {
      const { bytes, whole, count } = await readSound(file, offset, size);
      events += count;
      offset += whole;
      checked += whole;
      progress(checked, total);
      if (whole < bytes && count === 0) {
        damage.push(`${path} at offset ${offset}`);
        break;
      }
    }
    await file.close();
  }
  return { events, bytes: checked, damage };
};

const readSound = async (
  file: import('node:fs/promises').FileHandle,
  offset: number,
  end: number,
): Promise<{ bytes: number; whole: number; count: number }> => {
  let wanted = Math.min(READ_BYTES, end - offset);
  const head = Buffer.alloc(4);
  await file.read(head, 0, 4, offset);
  const first = head.readUInt32LE(0);
  if (first >= FRAME_BYTES_MIN && first <= FRAME_BYTES_MAX)
    wanted = Math.min(Math.max(wanted, first), end - offset);
  const bytes = Buffer.allocUnsafe(wanted);
  await file.read(bytes, 0, wanted, offset);
  let at = 0;
  let count = 0;
  while (at + FRAME_BYTES_MIN <= wanted) {
    const size = bytes.readUInt32LE(at);
    if (size < FRAME_BYTES_MIN || at + size > wanted || !frameIsSound(bytes, at, size)) break;
    at += size;
    count += 1;
  }
  return { bytes: wanted, whole: at, count };
};
