import type { Projection } from '#domain';
import type { Checkpoint } from './event-store.js';
import type { Stored } from './views.js';

/** Added to a view's name while it is built again beside the live one. */
export const NEXT = '.next';

/** A document as a view keeps it; of a deleted one only its guard is left (`gone`). */
export type Kept = Stored<object> & Readonly<{ gone?: true }>;

/** How far a view is. Only who knows its `generation` may move it. */
export type ViewCheckpoint = Checkpoint &
  Readonly<{
    /** The log was looked through to here; nothing after `position` was for the view. */
    scanned: number;
    /** Grows when the view is replaced: writers of the old one are turned away. */
    generation: number;
    /**
     * Who asks that the view stand still, and a count that grows as long as they live. Projectors
     * end the batch under way, then say that they have stopped.
     */
    hold?: Readonly<{ by: string; beat: number }>;
  }>;

/** An event that a view could not fold: its stream waits, for this view, until it is replayed. */
export type Parked = Readonly<{
  view: string;
  stream: string;
  /** The first event that could not be folded; those after it wait too. */
  eventId: string;
  position: number;
  /** Its place in the stream. */
  revision: number;
  type: string;
  error: string;
  stack: string;
  /** When it was tried first and last. */
  at: string;
  lastAt: string;
  /** Times it was tried, and events of the stream that came later. */
  attempts: number;
  waiting: number;
}>;

/** A projector's sign of life: `beat` grows, and it has stopped writing for the named holders. */
export type Beat = Readonly<{ id: string; beat: number; holds: readonly string[] }>;

/** What became of the bytes of removed documents: gone by a copy, or left to the database. */
export type Compaction = Readonly<{
  method: 'copy and swap' | 'compact';
  bytesBefore: number;
  bytesAfter: number;
}>;

/** The database of the read models cannot be reached just now. The outcome may be unknown. */
export class ViewsUnavailable extends Error {
  override readonly name = 'ViewsUnavailable';
}

/** A view was or is being replaced: whoever writes it starts again from its checkpoint. */
export class ViewsHeld extends Error {
  override readonly name = 'ViewsHeld';
}

/** The writing side of the read models. Only projectors and the rebuild stand on it. */
export abstract class ViewWriter {
  /** Makes the collection, its indexes and its checkpoint; safe to repeat. */
  abstract prepare(projection: Projection<object, never>): Promise<void>;
  /** By id, guards of deleted documents too. */
  abstract load(view: string, ids: readonly string[]): Promise<readonly Kept[]>;
  /** A page in the order of ids, after one: for a dump. */
  abstract page(view: string, after: string, limit: number): Promise<readonly Kept[]>;
  /**
   * Writes each document unless one of its position or newer is there; gives the ids of those. For
   * ids in `fresh` nothing is expected to be there.
   */
  abstract write(
    view: string,
    documents: readonly Kept[],
    fresh: ReadonlySet<string>,
  ): Promise<readonly string[]>;
  /** Removes the guards of documents that were deleted at or before a position. */
  abstract forget(view: string, ids: readonly string[], upTo: number): Promise<void>;

  /** The checkpoints of all views that have been prepared. */
  abstract checkpoints(): Promise<ReadonlyMap<string, ViewCheckpoint>>;
  /**
   * Moves views forward, by name and generation, never back. Throws `ViewsHeld` when one is of
   * another generation.
   */
  abstract save(
    views: ReadonlyMap<string, number>,
    at: Checkpoint & Readonly<{ scanned: number }>,
  ): Promise<void>;

  abstract parked(view: string): Promise<readonly Parked[]>;
  abstract park(parked: Parked): Promise<void>;
  /** Counts later events of parked streams, by stream. */
  abstract countWaiting(view: string, waiting: ReadonlyMap<string, number>): Promise<void>;

  /** People whose texts are in no view any more. It is lost with the views, and goes back with them. */
  abstract erased(): Promise<ReadonlySet<string>>;
  abstract noteErased(userId: string): Promise<void>;

  abstract close(): Promise<void>;
}

/** What replaces views beside running projectors. */
export abstract class ViewSwitch {
  /** The writer of the collections `<view>.next`, which nobody reads. */
  abstract next(): ViewWriter;
  /** Empties `<view>.next` of what an interrupted rebuild left. */
  abstract clear(view: string): Promise<void>;
  /** Asks that views stand still, all or none. Throws `ViewsHeld` when another holds one. */
  abstract hold(views: readonly string[], by: string): Promise<void>;
  /** Says that the holder lives. */
  abstract renew(views: readonly string[], by: string): Promise<void>;
  /** Lets go of what `by` holds. */
  abstract release(views: readonly string[], by: string): Promise<void>;
  /** Puts `<view>.next` in the place of the view, its checkpoint and parked streams with it. */
  abstract swap(view: string): Promise<void>;
  /** Replaces single documents whatever is there, and lets a parked stream go on. */
  abstract mend(view: string, stream: string, documents: readonly Kept[]): Promise<void>;

  /** Replaces what is not newer, and gives the ids of what is; nobody has these in memory. */
  abstract replace(view: string, documents: readonly Kept[]): Promise<ReadonlySet<string>>;
  /** Has the database give up the bytes of what was removed. */
  abstract compact(): Promise<Compaction>;

  /** Says that a projector lives and for whom it has stopped. */
  abstract beat(beat: Beat): Promise<void>;
  abstract beats(): Promise<readonly Beat[]>;
  /** Forgets a projector that has ended. */
  abstract leave(id: string): Promise<void>;
}
