import { status as codes } from '@grpc/grpc-js';
import type { Frame } from './frame.js';
import type { ReadReq } from './protocol.js';
import { Refused } from './refusal.js';

/** Events considered between two checkpoints where the client names no window. */
const WINDOW = 32;

/** What a reader of the whole log wants to see of it. */
export type Filter = Readonly<{
  matches: (frame: Frame) => boolean;
  /** Considered events from one checkpoint to the next. */
  checkpointEvery: number;
}>;

/** The filter of a request, if it has one. Prefixes only. */
export const filterOf = (options: ReadReq.Options): Filter | undefined => {
  const filter = options.getFilter();
  if (!filter) return undefined;
  const expression = filter.getStreamIdentifier() ?? filter.getEventType();
  if (!expression)
    throw new Refused(codes.INVALID_ARGUMENT, 'A filter needs prefixes of a type or of a stream.');
  if (expression.getRegex() !== '')
    throw new Refused(codes.UNIMPLEMENTED, 'Regex filters are not supported; filter by prefix.');
  const prefixes = expression.getPrefixList();
  const byStream = filter.hasStreamIdentifier();
  const window = filter.hasMax() ? filter.getMax() : WINDOW;
  return {
    matches: (frame) => {
      const name = byStream ? frame.stream : frame.type;
      return prefixes.some((prefix) => name.startsWith(prefix));
    },
    checkpointEvery: Math.max(1, window * Math.max(1, filter.getCheckpointintervalmultiplier())),
  };
};
