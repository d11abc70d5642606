import type { Event, Projection, Recorded } from '#domain';

/** An event before it has a place, in the stream that a test says. */
export type Placed<E extends Event> = Readonly<{ stream: string; event: E }>;

/** Positions look like byte offsets: growing, not dense. */
const POSITION_STEP = 10;

/** Gives events their places, first to last. */
export const recorded = <E extends Event>(...placed: readonly Placed<E>[]): Recorded<E>[] => {
  const revisions = new Map<string, number>();
  return placed.map(({ stream, event }, index) => {
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const id = `event-${index}`;
    const position = index * POSITION_STEP;
    return { ...event, id, stream, revision, position, correlationId: id, causationId: id };
  });
};

/** The documents of a read model after events: `projected(view)(...recorded(...)).get(key)`. */
export const projected =
  <Document extends object, E extends Event>(projection: Projection<Document, E>) =>
  (...events: readonly Recorded<E>[]): ReadonlyMap<string, Document> => {
    const documents = new Map<string, Document>();
    for (const event of events) {
      if (!projection.streams.some((prefix) => event.stream.startsWith(prefix))) continue;
      for (const key of projection.keysOf(event)) {
        const next = projection.evolve(documents.get(key), event, key);
        if (next === undefined) documents.delete(key);
        else documents.set(key, next);
      }
    }
    return documents;
  };
