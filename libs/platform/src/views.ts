import type { Projection } from '#domain';
import type { Checkpoint } from './event-store.js';

/** A stored document: its id, and the position of the last event it has seen (its guard). */
export type Stored<D extends object> = D & Readonly<{ _id: string; position: number }>;

/** What a reader may ask of a view; every field is indexed (a test asserts it by explain). */
export type Query = Readonly<{
  filter: Readonly<Record<string, unknown>>;
  sort?: Readonly<Record<string, 1 | -1>>;
  limit?: number;
}>;

/** The door to the read models (the database `views`). MongoDB in production, memory in the simulation. */
export abstract class Views {
  abstract find<D extends object>(view: string, query: Query): Promise<readonly Stored<D>[]>;
  /** By id; absent and gone documents are left out. */
  abstract get<D extends object>(
    view: string,
    ids: readonly string[],
  ): Promise<readonly Stored<D>[]>;
  /** Position up to which a view holds everything; -1 before the first. */
  abstract checkpoint(view: string): Promise<number>;
  /** Resolves true once the views' checkpoints have reached the position, false at the deadline. */
  abstract reached(views: readonly string[], position: number, withinMs: number): Promise<boolean>;
  /** Makes the collection and its indexes; safe to repeat. */
  abstract prepare(projection: Projection<object, never>): Promise<void>;
  abstract close(): Promise<void>;
}

/** Small documents of the running system (codes, leases, checkpoints of policies): `operations`. */
export abstract class Operations {
  abstract get<D extends object>(
    collection: string,
    id: string,
  ): Promise<(D & { _id: string }) | undefined>;
  abstract put(collection: string, id: string, document: object): Promise<void>;
  /** Atomically adds to a numeric field and gives the document as it then stands. */
  abstract increment<D extends object>(
    collection: string,
    id: string,
    field: string,
  ): Promise<(D & { _id: string }) | undefined>;
  /** Removes and gives what was there: of two callers one gets it. */
  abstract take<D extends object>(
    collection: string,
    id: string,
  ): Promise<(D & { _id: string }) | undefined>;
}

/** An event that a view could not fold: its stream waits, for this view, until it is replayed. */
export type Parked = Readonly<{
  view: string;
  stream: string;
  eventId: string;
  position: number;
  type: string;
  error: string;
  at: string;
}>;

/** What the batch runner needs of the database `views`. */
export abstract class ViewWriter {
  abstract prepare(projection: Projection<object, never>): Promise<void>;
  /** With the guards of deleted documents (`gone`). */
  abstract load(
    view: string,
    ids: readonly string[],
  ): Promise<readonly (Stored<object> & { gone?: boolean })[]>;
  /** Writes what is newer than what is there. False when something newer was there. */
  abstract write(view: string, documents: readonly Stored<object>[]): Promise<boolean>;
  /** Removes the guards of documents deleted at or before a position. */
  abstract forgetGone(view: string, upTo: number): Promise<void>;
  abstract checkpoint(view: string): Promise<Checkpoint | undefined>;
  /** Never moves back. */
  abstract saveCheckpoint(view: string, checkpoint: Checkpoint): Promise<void>;
  abstract park(parked: Parked): Promise<void>;
  abstract parked(view: string): Promise<readonly Parked[]>;
}
