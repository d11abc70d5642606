import { status as codes } from '@grpc/grpc-js';
import type { Log } from './log.js';
import type { ReadReq } from './protocol.js';
import { Refused } from './refusal.js';

/** Name of the stream that a request reads. */
export const streamOf = (options: ReadReq.Options): string => {
  const name = options.getStream()?.getStreamIdentifier()?.getStreamName_asU8() ?? [];
  if (name.length === 0) throw new Refused(codes.INVALID_ARGUMENT, 'A stream needs a name.');
  return Buffer.from(name).toString('utf8');
};

/** How many events a page holds at most. */
export const countOf = (options: ReadReq.Options): number => {
  const count = Number(options.getCount());
  if (count === 0) throw new Refused(codes.UNKNOWN, 'A read needs a count of at least 1.');
  return count;
};

/** Where in the whole log a reader begins. Beyond the end is the end. */
export const positionOf = async (log: Log, where: ReadReq.Options.AllOptions): Promise<number> => {
  if (where.hasStart()) return 0;
  const end = log.committed;
  if (where.hasEnd()) return end;
  const commit = Number(where.getPosition()?.getCommitPosition() ?? 0);
  const prepare = Number(where.getPosition()?.getPreparePosition() ?? 0);
  if (prepare > commit)
    throw new Refused(codes.UNKNOWN, 'A prepare position is never after its commit position.');
  if (commit >= end) return end;
  if (!(await log.isBoundary(commit)))
    throw new Refused(codes.UNKNOWN, `There is no event at position ${commit}.`);
  return commit;
};
