import { SPAN_NODE_DEAD_MS, SPAN_NODES, SPANS, type Operations, type Span } from '#platform';

/** Spans read for one page of people: with 200 of them, 25 connections each. */
const SPANS_MAX = 5_000;
/** Attempts shown of one device, the latest. */
const ATTEMPTS_MAX = 20;

/** One try to bring a message to a device. */
export type Attempt = Readonly<{
  /** Live by its socket, or in a page when it came back. */
  path: 'socket' | 'sync';
  at: string;
  /** `waiting`: told, the connection lasts, and nothing came back yet. */
  result: 'acknowledged' | 'waiting' | 'lost';
  /** Why the connection ended before an acknowledgement. */
  reason?: string;
  /** It had arrived all the same: when it came back, the device asked only for what was after. */
  hadIt?: true;
  connection: string;
}>;

/** Where a message stands in the log, and since when. */
export type Place = Readonly<{ position: number; atMs: number }>;

const isDead = (span: Span, alive: ReadonlySet<string>, isLast: boolean): boolean =>
  span.closedAt !== undefined || !isLast || !alive.has(span.node);

/** A device that comes back and asks only for what is after the message has it. */
const hasItAfter = ({ position }: Place, next: Span | undefined): boolean => {
  const [first] = next?.path ?? [];
  return first?.path === 'sync' && first.from >= position;
};

const attemptsOf = (span: Span, { position, atMs }: Place, isOver: boolean): readonly Attempt[] => {
  const { _id: connection, acknowledged, reason } = span;
  const isAcknowledged = acknowledged >= position;
  const lost = { result: 'lost', reason: reason ?? 'node_gone' } as const;
  const outcome = isAcknowledged
    ? ({ result: 'acknowledged' } as const)
    : isOver
      ? lost
      : ({ result: 'waiting' } as const);
  return span.path
    .filter(({ from, to }) => from < position && position <= to)
    .map(({ path, at }) => ({
      path,
      // Told live it went out when it was written; in pages, when these were.
      at: new Date(path === 'socket' ? Math.max(atMs, span.openedAt) : at).toISOString(),
      ...outcome,
      connection,
    }));
};

/** Every attempt to bring a message to people's devices, oldest first, by user and device. */
export const attemptsFor = async (
  operations: Operations,
  userIds: readonly string[],
  place: Place,
  nowMs: number,
): Promise<ReadonlyMap<string, readonly Attempt[]>> => {
  if (userIds.length === 0) return new Map();
  const beats = await operations.find<object>(SPAN_NODES, {
    filter: { at: { $gt: nowMs - SPAN_NODE_DEAD_MS } },
  });
  const alive = new Set(beats.map(({ _id }) => _id));
  // A span that was last written before the message knows nothing of it.
  const spans = await operations.find<Span>(SPANS, {
    filter: { userId: { $in: [...userIds] }, at: { $gte: place.atMs } },
    sort: { at: -1 },
    limit: SPANS_MAX,
  });
  const byDevice: ReadonlyMap<string, readonly Span[]> = Map.groupBy(
    spans,
    ({ userId, deviceId }) => `${userId}:${deviceId}`,
  );
  return new Map(
    [...byDevice].map(([key, ofDevice]) => {
      const inOrder = ofDevice.toSorted((one, other) => one.openedAt - other.openedAt);
      const attempts = inOrder.flatMap((span, index) => {
        const isOver = isDead(span, alive, span === inOrder.at(-1));
        const tries = attemptsOf(span, place, isOver);
        return hasItAfter(place, inOrder[index + 1])
          ? tries.map((attempt) => ({ ...attempt, hadIt: true as const }))
          : tries;
      });
      return [key, attempts.slice(-ATTEMPTS_MAX)] as const;
    }),
  );
};
