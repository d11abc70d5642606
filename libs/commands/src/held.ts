import type { Command, Decider, ScriptaEvent } from '#domain';

/** A decider to the engine, which hands each only its own states, commands and events. */
export type AnyDecider = Decider<object, Command, ScriptaEvent>;

/** What every accepted command answers, on both doors. */
export type Accepted = Readonly<{
  /** Nothing was appended: a repeat, or a wish that was fulfilled already. */
  duplicate: boolean;
  data: Readonly<Record<string, unknown>>;
  /** The log holds the command's facts up to here; a decimal string. */
  position: string;
}>;

/** A command that waits for its stream's next turn. */
export type Waiting = {
  readonly command: Command;
  /** By the monotonic clock. */
  readonly deadlineMs: number;
  /** Revision up to which history was asked and knows no such command. */
  asked?: number;
  /** It failed together with others; its next turn is its own. */
  alone?: boolean;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
};

/** Someone who wants to see a state that has reached a revision. */
export type Looking = {
  readonly atLeast: number;
  readonly deadlineMs: number;
  readonly resolve: (held: Held) => void;
  readonly reject: (error: unknown) => void;
};

/** A stream's state in memory, and who waits for it. */
export type Held = {
  readonly stream: string;
  readonly decider: AnyDecider;
  loaded: boolean;
  state: object;
  /** Of the last event that the state has seen; -1 before the first. */
  revision: number;
  position: number;
  /** The link of the last event, where the stream is linked; empty before the first. */
  link: string;
  /** Revision of the latest snapshot; -1 where there is none. */
  snapshotAt: number;
  bytes: number;
  busy: boolean;
  readonly waiting: (Waiting | Looking)[];
};

/** A state without its JSON form counts as this much: people and claims hold a handful of ids. */
const SMALL_STATE_BYTES = 1_024;
/** A JavaScript object takes about twice its JSON. */
const BYTES_PER_JSON_CHAR = 2;
/** What an event adds to a state until it is weighed again: a result and a recent message. */
export const EVENT_BYTES = 512;

/** How much memory a state takes, roughly. */
export const weigh = ({ decider, state }: Held): number =>
  decider.snapshots
    ? SMALL_STATE_BYTES +
      JSON.stringify(decider.snapshots.freeze(state)).length * BYTES_PER_JSON_CHAR
    : SMALL_STATE_BYTES;

/** The states of streams, those used last, up to a number of bytes. */
export class HeldStreams {
  readonly #held = new Map<string, Held>();
  #bytes = 0;

  constructor(private readonly bytesMax: number) {}

  /** The stream as it is held; a new one knows nothing yet. */
  of(stream: string, decider: AnyDecider): Held {
    const known = this.#held.get(stream);
    if (known) {
      // Set anew, so that the map's order is the order of use.
      this.#held.delete(stream);
      this.#held.set(stream, known);
      return known;
    }
    const held: Held = { stream, decider, ...this.#blank(decider), busy: false, waiting: [] };
    this.#held.set(stream, held);
    return held;
  }

  /** The stream if it is held and loaded. */
  peek(stream: string): Held | undefined {
    const held = this.#held.get(stream);
    return held?.loaded ? held : undefined;
  }

  /** The state is no longer to be trusted; the next turn loads it again. */
  forget(held: Held): void {
    this.#bytes -= held.bytes;
    Object.assign(held, this.#blank(held.decider));
  }

  /** Forgets every state that nobody works on, of streams whose names begin so. */
  forgetAll(prefix: string): void {
    for (const [stream, held] of this.#held)
      if (stream.startsWith(prefix) && held.loaded && !held.busy) this.forget(held);
  }

  /** Counts what a state has come to weigh, and lets go of those unused the longest. */
  weighed(held: Held, bytes: number): void {
    this.#bytes += bytes - held.bytes;
    held.bytes = bytes;
    if (this.#bytes <= this.bytesMax) return;
    for (const [stream, oldest] of this.#held) {
      if (this.#bytes <= this.bytesMax) return;
      if (oldest.busy || oldest === held) continue;
      this.#bytes -= oldest.bytes;
      this.#held.delete(stream);
    }
  }

  #blank(decider: AnyDecider) {
    return {
      loaded: false,
      state: decider.initial(),
      revision: -1,
      position: -1,
      link: '',
      snapshotAt: -1,
      bytes: 0,
    };
  }
}
