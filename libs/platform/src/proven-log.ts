import { HEADS_STREAM } from '#domain';
import { isHead, isProven, type SignedHead } from '#proof';
import { EVERY_STREAM, type EventStore, type LogEvent } from './event-store.js';

/** Events read at once. */
const PAGE_EVENTS = 2_000;
/** Heads read at once, about half a KiB each. */
const PAGE_HEADS = 500;

/** A head as it stands in the log, with the public key (base64) that it was signed for. */
export type KeptHead = SignedHead & Readonly<{ publicKey: string; revision: number }>;

/** The head that an event of `audit-heads` is; nothing for another event. */
export const headIn = ({ type, stream, revision, data }: LogEvent): KeptHead | undefined => {
  if (type !== 'TreeHeadSigned' || stream !== HEADS_STREAM || !isHead(data)) return undefined;
  const { size, root, position, at, key, signature } = data;
  const publicKey = String(Reflect.get(data, 'publicKey'));
  return { size, root, position, at, key, signature, publicKey, revision };
};

/** The latest signed head. */
export const lastHead = async (store: EventStore): Promise<KeptHead | undefined> => {
  const last = await store.last(HEADS_STREAM);
  return last && headIn(last);
};

/** Heads in the order of signing, up to and with a revision. */
export async function* headsUpTo(
  store: EventStore,
  revision: number,
): AsyncGenerator<KeptHead, void> {
  for (let from = 0; from <= revision;) {
    const limit = Math.min(PAGE_HEADS, revision + 1 - from);
    const page = await store.read(HEADS_STREAM, from, limit);
    for (const event of page) {
      const head = headIn(event);
      if (head) yield head;
    }
    if (page.length < limit) return;
    from = (page.at(-1)?.revision ?? revision) + 1;
  }
}

/** A stretch of the log: its provable events, and how far it was read. */
export type Leaves = Readonly<{ events: readonly LogEvent[]; position: number }>;

/** The log's leaves after a position, by the page, to where it ends. */
export async function* stretches(
  store: EventStore,
  after?: number,
  pageMax = PAGE_EVENTS,
): AsyncGenerator<Leaves, void> {
  let position = after;
  let reading = store.readAll(EVERY_STREAM, position, pageMax);
  for (;;) {
    const page = await reading;
    position = page.at(-1)?.position ?? position;
    const isLast = page.length < pageMax;
    if (!isLast) {
      // The log reads on while this page is worked on.
      reading = store.readAll(EVERY_STREAM, position, pageMax);
      reading.catch(() => {
        // Whoever asks for the next page is told.
      });
    }
    const events = page.filter(({ stream }) => isProven(stream));
    if (events.length > 0) yield { events, position: position ?? -1 };
    if (isLast) return;
  }
}

/** Leaves in their order, and the head that was signed over all up to here, if there is one. */
export type Batch = Readonly<{ events: readonly LogEvent[]; head?: KeptHead }>;

/** The heads that are still to come, the next one at hand. */
class Upcoming {
  #head: KeptHead | undefined;

  constructor(private readonly heads: AsyncGenerator<KeptHead, void>) {}

  get head(): KeptHead | undefined {
    return this.#head;
  }

  async move(): Promise<void> {
    const next = await this.heads.next();
    this.#head = next.done === true ? undefined : next.value;
  }
}

/** Cuts a page where heads stand; `size` leaves came before it. */
async function* cut(
  events: readonly LogEvent[],
  size: number,
  upcoming: Upcoming,
): AsyncGenerator<Batch, void> {
  let from = 0;
  for (let { head } = upcoming; head && head.size <= size + events.length; { head } = upcoming) {
    const to = Math.max(from, head.size - size);
    yield { events: events.slice(from, to), head };
    from = to;
    await upcoming.move();
  }
  if (from < events.length) yield { events: events.slice(from) };
}

/**
 * The whole log as it is proven: leaves with the heads in their places. Heads over more leaves than
 * there are come last.
 */
export async function* provenLog(
  store: EventStore,
  pageMax = PAGE_EVENTS,
): AsyncGenerator<Batch, void> {
  const last = await store.last(HEADS_STREAM);
  const upcoming = new Upcoming(headsUpTo(store, last?.revision ?? -1));
  await upcoming.move();
  let size = 0;
  for await (const { events } of stretches(store, undefined, pageMax)) {
    yield* cut(events, size, upcoming);
    size += events.length;
  }
  for (; upcoming.head; await upcoming.move()) yield { events: [], head: upcoming.head };
}
