import type { Projection, ViewIndex } from '#domain';

/** A stored document: its id, and the position of the last event it has seen (its guard). */
export type Stored<D extends object> = D & Readonly<{ _id: string; position: number }>;

/** What a reader may ask of a view; every field is indexed (a test asserts it by explain). */
export type Query = Readonly<{
  filter: Readonly<Record<string, unknown>>;
  sort?: Readonly<Record<string, 1 | -1>>;
  limit?: number;
  /** Only these fields, beside `_id` and `position`: what is not asked for is not decoded. */
  fields?: readonly string[];
}>;

/** Of a document the fields that a query names; all where it names none. */
export const shown = (document: object, { fields }: Query): object => {
  if (fields === undefined) return document;
  const named = new Set(['_id', 'position', ...fields]);
  return Object.fromEntries(Object.entries(document).filter(([name]) => named.has(name)));
};

/**
 * The door to the read models (the database `views`). MongoDB in production, memory in the
 * simulation.
 */
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
  /** Makes the collection's indexes; safe to repeat. */
  abstract prepare(collection: string, indexes: readonly ViewIndex[]): Promise<void>;
  /** Puts many documents under their ids, in one call. */
  abstract putAll(
    collection: string,
    documents: readonly Readonly<{ _id: string }>[],
  ): Promise<void>;
  abstract find<D extends object>(
    collection: string,
    query: Query,
  ): Promise<readonly (D & { _id: string })[]>;
  /** Removes all that a filter meets. */
  abstract clear(collection: string, filter: Query['filter']): Promise<void>;
  /** Sets fields where the document has the values of `where`; gives it as it then stands. */
  abstract change<D extends object>(
    collection: string,
    id: string,
    where: Readonly<Record<string, unknown>>,
    set: Readonly<Record<string, unknown>>,
  ): Promise<(D & { _id: string }) | undefined>;
  /** Removes and gives what was there: of two callers one gets it. */
  abstract take<D extends object>(
    collection: string,
    id: string,
  ): Promise<(D & { _id: string }) | undefined>;
}
