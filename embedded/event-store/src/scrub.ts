import { checkSegment } from './check.js';
import { eventBytesOf, openSegments, offsetIn } from './segments.js';

/** What a scrub found: how much is sound, and each place that is not. */
export type ScrubReport = Readonly<{ events: number; bytes: number; damage: readonly string[] }>;

/**
 * Checks every event of a data folder against its checksum and its place, and goes on behind damage;
 * changes nothing. `progress` hears of bytes checked.
 */
export const scrub = async (
  folder: string,
  progress: (checked: number, total: number) => void,
): Promise<ScrubReport> => {
  const { segments, unfinished } = await openSegments(folder, 'r');
  await unfinished?.file.close();
  let total = 0;
  for (const segment of segments) total += await eventBytesOf(segment);
  const damage: string[] = [];
  let [events, bytes, checked] = [0, 0, 0];
  for (const segment of segments) {
    for await (const { from, to, frames } of checkSegment(segment)) {
      checked += to - from;
      events += frames.length;
      if (frames.length > 0) bytes += to - from;
      else damage.push(`${segment.path} at offset ${offsetIn(segment, from)}: ${to - from} bytes`);
      progress(checked, total);
    }
    await segment.file.close();
  }
  return { events, bytes, damage };
};
