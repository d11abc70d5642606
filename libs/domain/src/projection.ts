import type { Event, Recorded } from './decider.js';

/** An index of a read model: fields in order, 1 up, -1 down. */
export type ViewIndex = Readonly<{ key: Readonly<Record<string, 1 | -1>>; unique?: boolean }>;

/**
 * A read model: a decider without decide. It says which documents an event belongs to, and how the
 * event changes each of them; `undefined` deletes the document. The same event applied twice
 * changes nothing, because the runner guards each document by the position it has seen.
 */
export type Projection<Document extends object, E extends Event> = Readonly<{
  name: string;
  /** Which of the log's streams it folds. */
  streams: readonly string[];
  indexes: readonly ViewIndex[];
  /** Each document is made by one event alone, so none has to be loaded. */
  single?: true;
  /** Of a `single` one: types of events that change documents which others have made. */
  rewriting?: readonly string[];
  keysOf: (event: Recorded<E>) => readonly string[];
  evolve: (document: Document | undefined, event: Recorded<E>, key: string) => Document | undefined;
}>;
