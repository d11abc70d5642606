import type { Outboxes } from './outbox.js';

/** A fact in the log. Its type is past tense; once written it is never edited, only upcast. */
export type Event<Type extends string = string, Data extends object = object> = Readonly<{
  type: Type;
  data: Readonly<Data>;
}>;

/** What lets a client check a fact for itself; all hashes are SHA-256 in hex. */
export type Proof = Readonly<{
  /** The link of the fact before it in the conversation; empty for the first. */
  prev: string;
  /** Of the RFC 8785 form of the personal leaves and the salt; stays when they are erased. */
  commit?: string;
  /** Gone with the personal leaves. */
  salt?: string;
  /** The open data as it was written, where that was an older version of the event. */
  written?: Readonly<Record<string, unknown>>;
}>;

/** An event with its place: `revision` counts in its stream, `position` orders the whole log. */
export type Recorded<E extends Event = Event> = E &
  Readonly<{
    id: string;
    stream: string;
    revision: number;
    position: number;
    correlationId: string;
    causationId: string;
    /** Of an event that was read whole, in a stream that is linked. */
    proof?: Proof;
  }>;

/** What a command carries beside its wish. */
export type CommandMeta = Readonly<{
  /** Any UUID, the client's; a repeat carries the same. */
  commandId: string;
  /** UUIDv5 of stream, device and command id: the id of the command's first event. */
  eventId: string;
  /** The person (or, for a policy, the person whose act caused it). */
  actor: string;
  device?: string;
  /** The command's place in the device's outbox for this stream, from 1, contiguous. */
  n?: number;
  /** HMAC of the body under the actor's key: tells a repeat from another body under a used id. */
  digest?: string;
  /** The id was made for this one call, so no repeat of it can have come before. */
  once?: true;
  /** The other of a direct conversation takes nothing from the actor: only repeats are answered. */
  unwelcome?: true;
  /** Revision that the caller takes the stream's last event to have; another is a `conflict`. */
  expect?: number;
  at: string;
  correlationId: string;
  causationId?: string;
}>;

/**
 * A wish, in the imperative. It is a class only because @nestjs/cqrs finds a command's handler by
 * the command's constructor; it has no behaviour.
 */
export abstract class Command<Type extends string = string, Data extends object = object> {
  abstract readonly type: Type;

  constructor(
    readonly data: Readonly<Data>,
    readonly meta: CommandMeta,
  ) {}
}

/** How a state is kept beside the log, so that a cold load is flat; JSON, tagged with a version. */
export type Snapshots<State> = Readonly<{
  version: number;
  freeze: (state: State) => object;
  thaw: (frozen: object) => State;
}>;

/** The whole of a consistency boundary: pure, no I/O, no clock, no randomness. */
export type Decider<State, C extends Command, E extends Event> = Readonly<{
  name: string;
  streamOf: (command: C) => string;
  initial: () => State;
  decide: (command: C, state: State) => readonly E[];
  /** Owns its accumulator and may mutate it; `revision` is the event's place in the stream. */
  evolve: (state: State, event: E, revision: number) => State;
  /** Where the stream keeps what each device's outbox has sent; absent where acts repeat safely. */
  outboxes?: (state: State) => Outboxes;
  snapshots?: Snapshots<State>;
  /** Each event carries the link of the one before it, for clients to check. */
  linked?: true;
}>;

/** The fields that tie an event to the command that caused it. */
export const stampOf = ({ actor, at, commandId, device, n, digest }: CommandMeta) => ({
  by: actor,
  at,
  origin: {
    command: commandId,
    ...(device === undefined ? {} : { device }),
    ...(n === undefined ? {} : { n }),
    ...(digest === undefined ? {} : { digest }),
  },
});
