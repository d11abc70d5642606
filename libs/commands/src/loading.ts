import {
  isPlanted,
  linkOf,
  type Codec,
  type EventStore,
  type LogEvent,
  type NewEvent,
  type Timer,
} from '#platform';
import { answered } from './answered.js';
import { weigh, type Held, type HeldStreams } from './held.js';

/** Events between two snapshots (design decision 6): a cold load reads at most this many. */
export const SNAPSHOT_EVERY = 500;
/** Events one read asks for: a whole cold load in one round trip. */
const PAGE = SNAPSHOT_EVERY;
/** A snapshot near EventStoreDB's limit of 1 MiB for one append is not written. */
const SNAPSHOT_CHARS_MAX = 900_000;

/** A state as it is kept beside the log. */
type Snapshot = Readonly<{
  version: number;
  revision: number;
  position: number;
  link: string;
  state: object;
}>;

const snapshotOf = ({ data }: LogEvent): Snapshot | undefined => {
  const { version, revision, position, link, state } = data;
  return typeof version === 'number' &&
    typeof revision === 'number' &&
    typeof position === 'number' &&
    typeof link === 'string' &&
    typeof state === 'object' &&
    state !== null
    ? { version, revision, position, link, state }
    : undefined;
};

/** Brings states from the log to memory: snapshot first, then what came after. */
export class Loading {
  constructor(
    private readonly store: EventStore,
    private readonly codec: Codec,
    private readonly held: HeldStreams,
    private readonly timer: Timer,
  ) {}

  /** Loads a state that is not held. */
  async load(held: Held): Promise<void> {
    this.held.forget(held);
    await this.#thaw(held);
    await this.catchUp(held);
    if (isPlanted('dedup-only-in-memory')) held.decider.outboxes?.(held.state).clear();
    held.loaded = true;
    this.held.weighed(held, weigh(held));
  }

  /** Folds what others appended since; whether there was anything. */
  async catchUp(held: Held): Promise<boolean> {
    const before = held.revision;
    for (;;) {
      const page = await this.#answered(this.store.read(held.stream, held.revision + 1, PAGE));
      for (const logged of page) {
        const decoded = this.codec.decode(logged, false);
        const event = decoded instanceof Promise ? await decoded : decoded;
        held.state = held.decider.evolve(held.state, event, event.revision);
        held.revision = event.revision;
        held.position = event.position;
      }
      const last = page.at(-1);
      if (last && held.decider.linked) held.link = linkOf(last, last.revision);
      if (page.length < PAGE) return held.revision > before;
    }
  }

  /** The snapshot that is due now, frozen at once; `undefined` while none is. */
  dueSnapshot(held: Held, id: () => string): NewEvent | undefined {
    const { snapshots } = held.decider;
    if (!snapshots || held.revision - held.snapshotAt < SNAPSHOT_EVERY) return undefined;
    const frozen = JSON.stringify(snapshots.freeze(held.state));
    held.snapshotAt = held.revision;
    if (frozen.length > SNAPSHOT_CHARS_MAX) return undefined;
    const { revision, position, link } = held;
    const state: unknown = JSON.parse(frozen);
    return {
      id: id(),
      type: 'StateFrozen',
      data: { version: snapshots.version, revision, position, link, state },
      metadata: {},
    };
  }

  #answered<T>(reading: Promise<T>): Promise<T> {
    return answered(this.timer, reading);
  }

  async #thaw(held: Held): Promise<void> {
    const { snapshots } = held.decider;
    if (!snapshots) return;
    const latest = await this.#answered(this.store.last(`snapshot-${held.stream}`));
    const snapshot = latest && snapshotOf(latest);
    if (snapshot?.version !== snapshots.version) return;
    held.state = snapshots.thaw(snapshot.state);
    held.revision = snapshot.revision;
    held.position = snapshot.position;
    held.link = snapshot.link;
    held.snapshotAt = snapshot.revision;
  }
}
