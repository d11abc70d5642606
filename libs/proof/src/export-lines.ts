import { canonical } from './canonical.js';
import type { SignedHead } from './heads.js';
import { entryOf, leafOfEntry, type ProvenEvent } from './leaves.js';

/** The name of the format, in the first line. */
export const EXPORT_FORMAT = 'scripta-log-export/1';

/** The first line of an export. */
export const headerLine = (at: string): string => canonical({ at, format: EXPORT_FORMAT });

/** The line of an event, and its leaf. */
export const eventLine = (
  event: ProvenEvent,
  index: number,
): Readonly<{ line: string; leaf: Buffer }> => {
  const entry = entryOf(event);
  const leaf = leafOfEntry(entry);
  return { line: lineOf(entry, index, leaf.toString('hex')), leaf };
};

/** The line that an entry, its place and its leaf make. */
export const lineOf = (entry: string, index: number, leaf: string): string =>
  `{"event":${entry},"index":${index},"leaf":"${leaf}"}`;

/** The line of a head, which stands after the last event that it covers. */
export const headLine = (head: SignedHead): string => canonical({ head });

/** The last line of an export. */
export const footerLine = (events: number, heads: number): string =>
  canonical({ end: { events, heads } });
