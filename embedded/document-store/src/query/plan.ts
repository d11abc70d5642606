import { createHash } from 'node:crypto';
import { NULL_VALUE } from '../bson/raw.js';
import { encodeValue } from '../keys/encode.js';
import type { Collection, Index } from '../storage/catalog.js';
import type { Clause, Filter } from './filter.js';
import { type Bound, type Interval, holds, intersect, successor } from './intervals.js';
import type { SortField } from './sort.js';

/** Keys of one index from `start` up to but without `end`; `orderAt` is where merging compares. */
export interface Range {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly orderAt: number;
}

/** How a query is answered: which keys are read, in which order, and what is left to check. */
export interface Plan {
  readonly collection: Collection;
  /** Undefined: the whole collection is read. The `_id` index is the collection's own tree. */
  readonly index: Index | undefined;
  readonly ranges: readonly Range[];
  readonly backward: boolean;
  /** The ranges are read side by side, the least entry first. */
  readonly merge: boolean;
  /** The documents come in the order asked for. */
  readonly sorted: boolean;
  /** One document may be met more than once. */
  readonly repeats: boolean;
  readonly rest: readonly Clause[];
  /** All keys of the `_id` index are known in full: documents are fetched by them. */
  readonly byId: boolean;
}

/** More ranges than this are not worth it: the field is left to the filter. */
const RANGES_MAX = 20_000;
/** Streams read side by side at most. */
const MERGE_MAX = 500;
const HASH_BYTES = 32;
const NULL_BYTES = encodeValue(NULL_VALUE);

interface Prefix {
  readonly bytes: Buffer;
  /** Where each bounded field ended. */
  readonly ends: readonly number[];
}

interface Bounds {
  readonly prefixes: readonly Prefix[];
  /** The last bounded field's intervals, when they are not points. */
  readonly tail: readonly Interval[] | undefined;
  /** By field: how many points bound it. */
  readonly points: readonly number[];
  readonly answered: ReadonlySet<Clause>;
}

function inverted(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = 0; i < copy.length; i++) copy[i] = ~(copy[i] ?? 0) & 0xff;
  return copy;
}

/** The encoding of a point as index keys hold it: cut and hashed when it is too long. */
function pointBytes(bytes: Buffer, index: Index, descending: boolean): Buffer {
  const limit = index.fieldBytesMax;
  const kept =
    bytes.length <= limit
      ? bytes
      : Buffer.concat([
          bytes.subarray(0, limit - HASH_BYTES),
          createHash('sha256').update(bytes).digest(),
        ]);
  return descending ? inverted(kept) : kept;
}

function isLong(bound: Bound, index: Index): boolean {
  return bound.bytes.length > index.fieldBytesMax - HASH_BYTES;
}

/** The field of an index that is bounded by ranges. */
interface Tail {
  readonly index: Index;
  readonly descending: boolean;
}

/** Where a bound lies among an index's keys that begin with `prefix`. */
function edge(prefix: Buffer, bound: Bound, isUpper: boolean, { index, descending }: Tail): Buffer {
  const isCut = isLong(bound, index);
  const bytes = isCut ? bound.bytes.subarray(0, index.fieldBytesMax - HASH_BYTES) : bound.bytes;
  const after = isCut ? isUpper : bound.after;
  const isAfter = descending ? !after : after;
  const place = Buffer.concat([prefix, descending ? inverted(bytes) : bytes]);
  return isAfter ? successor(place) : place;
}

/** The clauses on one field that its index can use: all together, or one where arrays are. */
function usable(clauses: readonly Clause[], path: string, multikey: boolean): Clause[] {
  const found = clauses.filter(
    (clause) => clause.intervals !== undefined && clause.path?.text === path,
  );
  if (!multikey || found.length <= 1) return found;
  const best = found.toSorted((a, b) => rank(a) - rank(b))[0];
  return best === undefined ? [] : [best];
}

function rank(clause: Clause): number {
  const intervals = clause.intervals ?? [];
  return intervals.every(({ isPoint }) => isPoint) ? intervals.length : RANGES_MAX;
}

function extend(prefixes: readonly Prefix[], points: readonly Buffer[]): Prefix[] {
  return prefixes.flatMap(({ bytes, ends }) =>
    points.map((point) => {
      const longer = Buffer.concat([bytes, point]);
      return { bytes: longer, ends: [...ends, longer.length] };
    }),
  );
}

interface Step {
  readonly clauses: readonly Clause[];
  readonly intervals: readonly Interval[];
  readonly arePoints: boolean;
  /** Entries within the intervals are all and only what the clauses admit. */
  readonly isExact: boolean;
}

/** What the conditions say about one field of an index; undefined when nothing. */
function stepOf(index: Index, at: number, clauses: readonly Clause[]): Step | undefined {
  const multikey = index.multikey[at] === true;
  const found = usable(clauses, index.fields[at]?.path.text ?? '', multikey);
  if (found.length === 0) return undefined;
  const intervals = found.map((clause) => clause.intervals ?? []).reduce(intersect);
  const arePoints = intervals.every(({ isPoint }) => isPoint);
  const isWhole =
    arePoints || !intervals.some(({ lo, hi }) => isLong(lo, index) || isLong(hi, index));
  const isExact = isWhole && !index.cut && !(multikey && holds(intervals, NULL_BYTES));
  return { clauses: found, intervals, arePoints, isExact };
}

/**
 * How far the filter's conditions bound an index: points first, then at most one field of ranges.
 */
function boundsOf(index: Index, clauses: readonly Clause[]): Bounds {
  const tree = Buffer.alloc(4);
  tree.writeUInt32BE(index.tree);
  let prefixes: Prefix[] = [{ bytes: tree, ends: [] }];
  const points: number[] = [];
  const answered = new Set<Clause>();
  for (const [at, { descending }] of index.fields.entries()) {
    const step = stepOf(index, at, clauses);
    if (step === undefined || prefixes.length * step.intervals.length > RANGES_MAX) break;
    if (step.isExact) for (const clause of step.clauses) answered.add(clause);
    if (!step.arePoints) return { prefixes, tail: step.intervals, points, answered };
    points.push(step.intervals.length);
    const encodings = step.intervals.map(({ lo }) => pointBytes(lo.bytes, index, descending));
    prefixes = extend(prefixes, encodings);
  }
  return { prefixes, tail: undefined, points, answered };
}

interface Order {
  readonly backward: boolean;
  /** The first field of the index that sorts. */
  readonly from: number;
  readonly merge: boolean;
}

/** Fields that the bounds fix to one value have no say in the order. */
function withoutConstants(
  index: Index,
  sort: readonly SortField[],
  { points }: Bounds,
): SortField[] {
  const constant = new Set(
    index.fields
      .filter((_, at) => points[at] === 1 && index.multikey[at] !== true)
      .map(({ path }) => path.text),
  );
  return sort.filter(({ path }) => !constant.has(path.text));
}

/** How an index gives the order asked for within its bounds, or undefined when it does not. */
function orderOf(index: Index, sort: readonly SortField[], bounds: Bounds): Order | undefined {
  const wanted = withoutConstants(index, sort, bounds);
  if (wanted.length === 0) return { backward: false, from: 0, merge: false };
  return index.cut ? undefined : matchOrder(index, wanted, bounds.points);
}

function matchOrder(
  index: Index,
  wanted: readonly SortField[],
  points: readonly number[],
): Order | undefined {
  const turns: boolean[] = [];
  let [from, merge] = [-1, false];
  for (const [at, field] of index.fields.entries()) {
    const want = wanted[turns.length];
    if (want === undefined) break;
    const isWanted = want.path.text === field.path.text;
    if (isWanted && index.multikey[at] !== true) {
      turns.push(want.descending !== field.descending);
      if (from < 0) from = at;
    } else if (isWanted || !canPass(points[at], from)) {
      return undefined;
    } else {
      merge ||= points[at] !== 1;
    }
  }
  return turns.length === wanted.length ? turned(turns, from, merge) : undefined;
}

/**
 * A field that does not sort may lie between: fixed to one value, or to several before all sorting.
 */
function canPass(points: number | undefined, from: number): boolean {
  return points === 1 || ((points ?? 0) > 1 && from < 0);
}

/** All fields must be read the way they lie, or all turned around. */
function turned(turns: readonly boolean[], from: number, merge: boolean): Order | undefined {
  const [backward = false] = turns;
  return turns.every((turn) => turn === backward) ? { backward, from, merge } : undefined;
}

function rangesOf(index: Index, bounds: Bounds, from: number): Range[] {
  const { prefixes, tail, points } = bounds;
  const descending = index.fields[points.length]?.descending ?? false;
  const last = { index, descending };
  const ranges = prefixes.flatMap(({ bytes, ends }) => {
    const orderAt = from <= 0 ? 4 : (ends[from - 1] ?? bytes.length);
    if (tail === undefined) return [{ start: bytes, end: successor(bytes), orderAt }];
    return tail.map(({ lo, hi }) => {
      const [lower, upper] = [edge(bytes, lo, false, last), edge(bytes, hi, true, last)];
      const [start, end] = descending ? [upper, lower] : [lower, upper];
      return { start, end, orderAt };
    });
  });
  return ranges.toSorted((a, b) => Buffer.compare(a.start, b.start));
}

interface Candidate {
  readonly index: Index;
  readonly bounds: Bounds;
  readonly order: Order | undefined;
  readonly score: number;
}

/** Weights: a unique key in full, then points, then the order, then a range. */
const SCORE = { whole: 1_000, point: 20, order: 10, range: 8 };

function candidate(
  index: Index,
  clauses: readonly Clause[],
  sort: readonly SortField[],
): Candidate {
  const bounds = boundsOf(index, clauses);
  const order = orderOf(index, sort, bounds);
  const isTooWide = order?.merge === true && bounds.prefixes.length > MERGE_MAX;
  const usedOrder = isTooWide ? undefined : order;
  const isWhole = index.unique && bounds.points.length === index.fields.length;
  const score =
    (isWhole ? SCORE.whole : 0) +
    bounds.points.length * SCORE.point +
    (bounds.tail === undefined ? 0 : SCORE.range) +
    (sort.length > 0 && usedOrder !== undefined ? SCORE.order : 0);
  return { index, bounds, order: usedOrder, score };
}

function wholeCollection(collection: Collection, filter: Filter, sorted: boolean): Plan {
  const [start, end] = [Buffer.alloc(4), Buffer.alloc(4)];
  start.writeUInt32BE(collection.tree);
  end.writeUInt32BE(collection.tree + 1);
  return {
    collection,
    index: undefined,
    ranges: [{ start, end, orderAt: 4 }],
    backward: false,
    merge: false,
    sorted,
    repeats: false,
    rest: filter.clauses,
    byId: false,
  };
}

function bestOf(
  indexes: readonly Index[],
  filter: Filter,
  sort: readonly SortField[],
): Candidate | undefined {
  let best: Candidate | undefined;
  for (const index of indexes) {
    const next = candidate(index, filter.clauses, sort);
    if (best === undefined || next.score > best.score) best = next;
  }
  return best;
}

function candidatesOf(collection: Collection, hint: Index | null | undefined): Index[] {
  if (hint === undefined) return [collection.id, ...collection.indexes];
  return hint === null ? [] : [hint];
}

/** Chooses how to answer a query; `hint` is the one index to use, null for none at all. */
export function planOf(
  collection: Collection,
  filter: Filter,
  sort: readonly SortField[],
  hint?: Index | null,
): Plan {
  const best = bestOf(candidatesOf(collection, hint), filter, sort);
  if (best === undefined || (best.score === 0 && hint === undefined)) {
    return wholeCollection(collection, filter, sort.length === 0);
  }
  const { index, bounds } = best;
  const order = best.order ?? { backward: false, from: 0, merge: false };
  return {
    collection,
    index,
    ranges: rangesOf(index, bounds, order.from),
    backward: order.backward,
    merge: order.merge,
    sorted: best.order !== undefined,
    repeats: index.multikey.includes(true),
    rest: filter.clauses.filter((clause) => !bounds.answered.has(clause)),
    byId: index === collection.id && bounds.points.length === 1 && !order.merge,
  };
}
