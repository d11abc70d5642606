import { documentOf } from '../bson/raw.js';
import { idOfEntry } from '../storage/documents.js';
import { treeKey } from '../storage/index-keys.js';
import type { Store } from '../storage/store.js';
import type { Plan, Range } from './plan.js';

/** One document that answers a query. */
export interface Hit {
  readonly id: Buffer;
  readonly document: Buffer;
}

interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Entries read at once: index entries are small, documents may be large. */
const ENTRIES_MAX = 512;
const DOCUMENTS_MAX = 64;
const ZERO = Buffer.alloc(1);

/** The entries of one range, read in portions, so that nothing stays open between them. */
class Stream {
  private entries: readonly Entry[] = [];
  private at = 0;
  private isDone = false;
  private start: Buffer;
  private end: Buffer;

  constructor(
    private readonly store: Store,
    readonly range: Range,
    private readonly backward: boolean,
    private readonly portion: { now: number; readonly max: number },
  ) {
    this.start = range.start;
    this.end = range.end;
  }

  peek(): Entry | undefined {
    if (this.at >= this.entries.length && !this.isDone) this.fill();
    return this.entries[this.at];
  }

  next(): Entry | undefined {
    const entry = this.peek();
    this.at++;
    return entry;
  }

  private fill(): void {
    const { start, end } = this;
    const limit = this.portion.now;
    const options = this.backward
      ? { reverse: true, start: end, exclusiveStart: true, end: start, inclusiveEnd: true, limit }
      : { start, end, limit };
    this.entries = [...this.store.data.getRange(options)];
    this.at = 0;
    this.isDone = this.entries.length < limit;
    this.portion.now = Math.min(limit * 4, this.portion.max);
    const last = this.entries.at(-1);
    if (last === undefined) return;
    if (this.backward) this.end = last.key;
    else this.start = Buffer.concat([last.key, ZERO]);
  }
}

/** Reads the documents that answer a plan, one after another. */
export class Scan {
  keysExamined = 0;
  documentsExamined = 0;
  private readonly streams: Stream[];
  private readonly ranges: readonly Range[];
  private readonly seen: Set<string> | undefined;
  private nextRange = 0;

  constructor(
    private readonly store: Store,
    private readonly plan: Plan,
    private readonly expected: number,
  ) {
    this.ranges = plan.backward ? plan.ranges.toReversed() : plan.ranges;
    this.seen = plan.repeats ? new Set() : undefined;
    this.streams = plan.merge ? this.ranges.map((range) => this.open(range)) : [];
    if (plan.merge) this.arrange();
  }

  /**
   * The next document, or undefined at the end; null when one was looked at and does not answer.
   */
  step(): Hit | null | undefined {
    const hit = this.plan.byId ? this.byId() : this.byEntry();
    if (hit === undefined || hit === null) return hit;
    const { rest } = this.plan;
    if (rest.length === 0) return hit;
    const document = documentOf(hit.document);
    for (const clause of rest) if (!clause.matches(document)) return null;
    return hit;
  }

  /** The next document that answers, or undefined. */
  next(): Hit | undefined {
    for (;;) {
      const hit = this.step();
      if (hit !== null) return hit;
    }
  }

  private open(range: Range): Stream {
    const max = this.isCollection() ? DOCUMENTS_MAX : ENTRIES_MAX;
    const now = Math.max(1, Math.min(max, this.expected));
    return new Stream(this.store, range, this.plan.backward, { now, max });
  }

  private isCollection(): boolean {
    return this.plan.index === undefined || this.plan.index === this.plan.collection.id;
  }

  private byId(): Hit | null | undefined {
    const range = this.ranges[this.nextRange++];
    if (range === undefined) return undefined;
    this.keysExamined++;
    const document = this.store.get(range.start);
    if (document === undefined) return null;
    this.documentsExamined++;
    return { id: range.start.subarray(4), document };
  }

  private byEntry(): Hit | null | undefined {
    const entry = this.plan.merge ? this.nextMerged() : this.nextInTurn();
    if (entry === undefined) return undefined;
    const { index } = this.plan;
    if (index !== undefined) this.keysExamined++;
    if (index === undefined || this.isCollection()) {
      this.documentsExamined++;
      return { id: entry.key.subarray(4), document: entry.value };
    }
    const id = idOfEntry(entry.key, entry.value, index);
    if (this.seen !== undefined) {
      const name = id.toString('latin1');
      if (this.seen.has(name)) return null;
      this.seen.add(name);
    }
    const document = this.store.get(treeKey(this.plan.collection.tree, id));
    if (document === undefined) return null;
    this.documentsExamined++;
    return { id, document };
  }

  private nextInTurn(): Entry | undefined {
    for (;;) {
      const entry = this.streams[0]?.next();
      if (entry !== undefined) return entry;
      const range = this.ranges[this.nextRange++];
      if (range === undefined) return undefined;
      this.streams[0] = this.open(range);
    }
  }

  private compare(a: Stream, b: Stream): number {
    const [x, y] = [a.peek(), b.peek()];
    if (x === undefined || y === undefined) return 0;
    const order = x.key.compare(
      y.key,
      b.range.orderAt,
      y.key.length,
      a.range.orderAt,
      x.key.length,
    );
    return this.plan.backward ? -order : order;
  }

  private arrange(): void {
    const live = this.streams.filter((stream) => stream.peek() !== undefined);
    live.sort((a, b) => this.compare(a, b));
    this.streams.splice(0, this.streams.length, ...live);
  }

  private nextMerged(): Entry | undefined {
    const stream = this.streams.shift();
    const entry = stream?.next();
    if (stream === undefined || stream.peek() === undefined) return entry;
    let [from, to] = [0, this.streams.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const other = this.streams[middle];
      if (other !== undefined && this.compare(other, stream) <= 0) from = middle + 1;
      else to = middle;
    }
    this.streams.splice(from, 0, stream);
    return entry;
  }
}
