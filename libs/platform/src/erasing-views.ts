import canonicalize from 'canonicalize';
import type { CopyView, Recorded } from '#domain';
import type { Clock, Random, Timer } from './clock.js';
import { UnreadableEvent, type Codec } from './codec.js';
import type { EventStore, LogEvent } from './event-store.js';
import { isOutage } from './outage.js';
import type { KnownErasure } from './erasures.js';
import { QUERIES } from './queries.js';
import { PROJECTIONS, type AnyProjection } from './read-model.js';
import { isSealed } from './sealing.js';
import { whileHeld } from './view-holds.js';
import { ViewsUnavailable, type Kept, type ViewSwitch, type ViewWriter } from './view-writer.js';
import type { Views } from './views.js';

/** Events of a stream read at once, and documents written at once. */
const PAGE = 500;

/** What erasing from the read models stands on: how they are read, written and replaced. */
export type ErasingPorts = Readonly<{
  store: EventStore;
  codec: Codec;
  reading: Views;
  writer: ViewWriter;
  views: ViewSwitch;
  clock: Clock;
  random: Random;
  timer: Timer;
}>;

/** Documents that were folded again, by view, and how many of them were read back as folded. */
export type ErasedView = Readonly<{ view: string; documents: number; verified: number }>;

/**
 * Views whose documents one stream alone makes, so that they can be folded again from it. Others,
 * of several kinds of streams, hold no text of people; a test asserts it.
 */
export const isOfOneStream = ({ single, streams }: AnyProjection): boolean =>
  single === true || streams.length === 1;

const REFOLDED = PROJECTIONS.filter(isOfOneStream);
const SINGLE = REFOLDED.filter(({ single }) => single === true);
const FOLDED = REFOLDED.filter(({ single }) => single !== true);

const followedBy = (projections: readonly AnyProjection[], stream: string) =>
  projections.filter(({ streams }) => streams.some((prefix) => stream.startsWith(prefix)));

/** Whether an event holds a text that was sealed for the person. */
export const isSealedFor = ({ data }: LogEvent, subject: string): boolean =>
  isSealed(data['sealed']) && data['sealed'].subject === subject;

/** Beginnings of the names of streams that are of one person alone. */
const PREFIXES_OF_A_PERSON = ['user-', 'own-'] as const;

/** Conversations to which a person's words were passed on. */
const copiesOf = async (reading: Views, subject: string): Promise<readonly CopyView[]> => {
  const copies: CopyView[] = [];
  for (let after = ''; ;) {
    const { view, ...asked } = QUERIES.copiesOf(subject, after);
    const page = await reading.find<CopyView>(view, asked);
    copies.push(...page);
    if (page.length < asked.limit) return copies;
    after = copies.at(-1)?.conversationId ?? '';
  }
};

/** The streams in which a person can have said something: their own, and their conversations'. */
export const streamsOf = async (reading: Views, subject: string): Promise<readonly string[]> => {
  const { view, ...query } = QUERIES.placesOf(subject);
  const places = await reading.find<{ conversationId: string }>(view, query);
  const copies = await copiesOf(reading, subject);
  const rooms = new Set([...places, ...copies].map(({ conversationId }) => conversationId));
  return [
    ...PREFIXES_OF_A_PERSON.map((prefix) => prefix + subject),
    ...[...rooms].map((conversationId) => `conversation-${conversationId}`),
  ];
};

/** Resolves once the read models hold what the log now holds; throws where they do not get there. */
export const untilCaughtUp = async (
  { store, reading }: Pick<ErasingPorts, 'store' | 'reading'>,
  withinMs: number,
): Promise<void> => {
  const prefixes = [...new Set(PROJECTIONS.flatMap(({ streams }) => streams))];
  const names = PROJECTIONS.map(({ name }) => name);
  const head = await store.head(prefixes);
  if (!head || (await reading.reached(names, head.position, withinMs))) return;
  throw new ViewsUnavailable('The read models are behind the log; try again when they hold it.');
};

/** The events of a stream after a revision, page by page, up to a position. */
export async function* pagesOf(
  store: EventStore,
  stream: string,
  { after, upTo }: Readonly<{ after: number; upTo: number }>,
): AsyncGenerator<readonly LogEvent[]> {
  for (let from = after + 1; ;) {
    const page = await store.read(stream, from, PAGE);
    const within = page.filter(({ position }) => position <= upTo);
    if (within.length > 0) yield within;
    const last = within.at(-1);
    if (!last || within.length < PAGE) return;
    from = last.revision + 1;
  }
}

/** The documents of one stream that are folded from many events, as the log has them now. */
class Refold {
  readonly #documents = new Map<string, Kept>();
  readonly #affected = new Set<string>();
  readonly #projections: readonly AnyProjection[];
  #revision = -1;
  #isWaiting = false;

  constructor(
    private readonly ports: ErasingPorts,
    private readonly stream: string,
    private readonly subject: string,
  ) {
    this.#projections = followedBy(FOLDED, stream);
  }

  /** Folds on, up to and with a position; not beyond what cannot be read, where views wait too. */
  async on(upTo: number): Promise<void> {
    if (this.#projections.length === 0) return;
    const { store } = this.ports;
    for await (const page of pagesOf(store, this.stream, { after: this.#revision, upTo }))
      for (const logged of page) if (!this.#isWaiting) await this.#fold(logged);
  }

  /** What of a view holds something of the person's. */
  documentsOf(view: string): readonly Kept[] {
    return [...this.#documents].flatMap(([at, kept]) =>
      at.startsWith(`${view}:`) && this.#affected.has(at) ? [kept] : [],
    );
  }

  async #fold(logged: LogEvent): Promise<void> {
    const event = await readable(this.ports.codec, logged);
    if (!event) {
      this.#isWaiting = true;
      return;
    }
    this.#revision = logged.revision;
    const isTheirs = isSealedFor(logged, this.subject) || logged.type === 'PersonErased';
    for (const projection of this.#projections)
      for (const key of projection.keysOf(event)) {
        const at = `${projection.name}:${key}`;
        const after = projection.evolve(this.#documents.get(at), event, key);
        const { position } = event;
        if (after) this.#documents.set(at, { ...after, _id: key, position });
        else this.#documents.delete(at);
        if (isTheirs) this.#affected.add(at);
      }
  }
}

const readable = async (codec: Codec, logged: LogEvent): Promise<Recorded | undefined> => {
  try {
    return await codec.decode(logged, true);
  } catch (error) {
    if (isOutage(error) || !(error instanceof UnreadableEvent)) throw error;
    return undefined;
  }
};

const countsOf = (names: readonly string[]): Map<string, { documents: number; verified: number }> =>
  new Map(names.map((name) => [name, { documents: 0, verified: 0 }]));

type Counts = ReturnType<typeof countsOf>;

/** Reads documents back: how many stand as they were folded. */
const verify = async (
  writer: ViewWriter,
  view: string,
  documents: readonly Kept[],
): Promise<number> => {
  const found = await writer.load(
    view,
    documents.map(({ _id }) => _id),
  );
  const standing = new Map(found.map((kept) => [kept._id, canonicalize(kept)]));
  return documents.filter((kept) => standing.get(kept._id) === canonicalize(kept)).length;
};

const note = async (
  { writer }: ErasingPorts,
  view: string,
  documents: readonly Kept[],
  counts: Counts,
): Promise<void> => {
  const count = counts.get(view);
  if (!count) return;
  count.documents += documents.length;
  count.verified += await verify(writer, view, documents);
};

/** What an event makes by itself; what it changes in others' documents holds no text of its own. */
const foldedBy = ({ keysOf, evolve }: AnyProjection, event: Recorded): readonly Kept[] =>
  keysOf(event).flatMap((key) => {
    const after = evolve(undefined, event, key);
    return after ? [{ ...after, _id: key, position: event.position }] : [];
  });

/** The documents of views in which each is one event's, of the person's events on a page, by view. */
const singlesOf = async (
  { codec }: ErasingPorts,
  projections: readonly AnyProjection[],
  theirs: readonly LogEvent[],
): Promise<ReadonlyMap<string, readonly Kept[]>> => {
  const read = await Promise.all(theirs.map((logged) => readable(codec, logged)));
  const events = read.filter((event) => event !== undefined);
  return new Map(
    projections.map((projection) => [
      projection.name,
      events.flatMap((event) => foldedBy(projection, event)),
    ]),
  );
};

/** Views in which each document is one event's: those of the person's events, one by one. */
const replaceSingle = async (
  ports: ErasingPorts,
  stream: string,
  subject: string,
  counts: Counts,
): Promise<void> => {
  const projections = followedBy(SINGLE, stream);
  const all = { after: -1, upTo: Number.MAX_SAFE_INTEGER };
  for await (const page of pagesOf(ports.store, stream, all)) {
    const theirs = page.filter((logged) => isSealedFor(logged, subject));
    for (const [view, documents] of await singlesOf(ports, projections, theirs)) {
      if (documents.length === 0) continue;
      // What has changed since was emptied: it holds no text.
      const newer = await ports.views.replace(view, documents);
      const replaced = documents.filter(({ _id }) => !newer.has(_id));
      await note(ports, view, replaced, counts);
    }
  }
};

/**
 * Takes a person whose key is destroyed out of the read models: every document that holds a text of
 * theirs is folded again from the log, which has no text any more. Projectors stand still while
 * they are made to forget what they keep in memory. Doing it twice changes nothing.
 */
export const eraseFromViews = async (
  ports: ErasingPorts,
  subject: string,
): Promise<readonly ErasedView[]> => {
  const { writer, views, reading, random } = ports;
  // What an interrupted rebuild has left was folded before.
  for (const { name } of PROJECTIONS) await views.clear(name);
  const streams = await streamsOf(reading, subject);
  const names = REFOLDED.map(({ name }) => name);
  const counts = countsOf(names);
  const refolds = streams.map((stream) => new Refold(ports, stream, subject));
  const foldTo = async (): Promise<void> => {
    const checkpoints = await writer.checkpoints();
    const upTo = Math.min(...FOLDED.map(({ name }) => checkpoints.get(name)?.scanned ?? -1));
    for (const refold of refolds) await refold.on(upTo);
  };
  // Most of the work is done before anybody has to stand still.
  await foldTo();
  await whileHeld(ports, names, random.uuid(), async () => {
    await foldTo();
    for (const name of names) {
      const documents = refolds.flatMap((refold) => refold.documentsOf(name));
      // Also where there is none: writers that have the view in memory begin again.
      await views.mend(name, '', documents);
      await note(ports, name, documents, counts);
    }
  });
  for (const stream of streams) await replaceSingle(ports, stream, subject, counts);
  await writer.noteErased(subject);
  return [...counts].map(([view, count]) => ({ view, ...count }));
};

/**
 * At the start of a projector: takes out of the read models who was erased and is there, because
 * an older backup was restored or because the erasure ended half way.
 */
export const eraseMissing = async (
  ports: ErasingPorts,
  erased: readonly KnownErasure[],
  log: (message: string) => void,
): Promise<void> => {
  if (erased.length === 0) return;
  const { writer } = ports;
  for (const projection of PROJECTIONS) await writer.prepare(projection);
  const noted = await writer.erased();
  const checkpoints = await writer.checkpoints();
  const isEmpty = PROJECTIONS.every(({ name }) => (checkpoints.get(name)?.scanned ?? -1) < 0);
  for (const { userId } of erased) {
    if (noted.has(userId)) continue;
    // What is folded from here on holds nothing of theirs.
    if (isEmpty) await writer.noteErased(userId);
    else await eraseFromViews(ports, userId);
    if (!isEmpty) log(`${userId}, who was erased, was in the read models: taken out again.`);
  }
};
