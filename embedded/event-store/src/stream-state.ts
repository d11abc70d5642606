/** What appends and reads need to know of a stream. */
export type StreamState = Readonly<{
  /** Revision of the last event; -1 before the first. */
  last: number;
  /** Events before this revision are hidden (`$tb`, soft delete). */
  before: number;
  /** `$maxCount`; 0 for no limit. */
  maxCount: number;
  /** Soft-deleted, and not written to since. */
  deleted: boolean;
}>;

/** A stream that nobody has written to. */
export const FRESH: StreamState = { last: -1, before: 0, maxCount: 0, deleted: false };

/** `$tb` of a soft-deleted stream: the largest revision there can be. */
export const DELETED_BEFORE = 9_223_372_036_854_775_807n;

/** What is not honoured, and so refused rather than stored. */
const UNSUPPORTED_KEYS = ['$maxAge', '$acl'];

/** The revision that a writer must expect; -1 for no stream and after a soft delete. */
export const currentOf = ({ last, deleted }: StreamState): number => (deleted ? -1 : last);

/** A soft-deleted stream may also be written to as if it were still there. */
export const writableAt = ({ last, deleted }: StreamState, expected: number): boolean =>
  deleted && expected === last;

/** Lowest revision that a reader of the stream may see. */
export const firstVisible = ({ last, before, maxCount }: StreamState): number =>
  Math.max(before, maxCount > 0 ? last - maxCount + 1 : 0);

/** The stream whose metadata an event sets, if it does. */
export const subjectOf = (stream: string, type: string): string | undefined =>
  type === '$metadata' && stream.startsWith('$$') ? stream.slice(2) : undefined;

const parsed = (data: Buffer): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(data.toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch (error) {
    // What is no JSON sets nothing, as in EventStoreDB.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
};

const countOf = (value: unknown): number =>
  typeof value === 'number' && value > 0 ? Math.floor(value) : 0;

/** The state after its stream's metadata were set. */
export const withMetadata = (state: StreamState, data: Buffer): StreamState => {
  const metadata = parsed(data);
  const before = countOf(metadata['$tb']);
  const deleted = before >= Number(DELETED_BEFORE);
  return {
    last: state.last,
    // After a soft delete the numbering goes on, so what is hidden ends at the last event.
    before: deleted ? state.last + 1 : before,
    maxCount: countOf(metadata['$maxCount']),
    deleted,
  };
};

/** The keys of stream metadata that this server does not honour. */
export const unsupportedKeys = (data: Buffer): string[] => {
  const metadata = parsed(data);
  return UNSUPPORTED_KEYS.filter((key) => metadata[key] !== undefined && metadata[key] !== null);
};
