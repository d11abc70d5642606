import { createHash } from 'node:crypto';
import { NULL_VALUE } from '../bson/raw.js';
import { encodeValue } from '../keys/encode.js';
import type { Collection, Index } from '../storage/catalog.js';
import type { Clause, Filter } from './filter.js';
import { type Bound, type Interval, holds, intersect } from './intervals.js';
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

const LAST = Buffer.from([0xff]);

function isLong(bound: Bound, index: Index): boolean {
  return bound.bytes.length > index.fieldBytesMax - HASH_BYTES;
}

function edge(bound: Bound, isUpper: boolean, index: Index, descending: boolean): Buffer {
  const isCut = isLong(bound, index);
  const bytes = isCut ? bound.bytes.subarray(0, index.fieldBytesMax - HASH_BYTES) : bound.bytes;
  const after = isCut ? isUpper : bound.after;
  if (!descending) return after ? Buffer.concat([bytes, LAST]) : bytes;
  return after ? inverted(bytes) : Buffer.concat([inverted(bytes), LAST]);
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

/** How far the filter's conditions bound an index: points first, then at most one field of ranges. */
function boundsOf(index: Index, clauses: readonly Clause[]): Bounds {
  const tree = Buffer.alloc(4);
  tree.writeUInt32BE(index.tree);
  let prefixes: Prefix[] = [{ bytes: tree, ends: [] }];
  let tail: readonly Interval[] | undefined;
  const points: number[] = [];
  const answered = new Set<Clause>();
  for (const [at, { path, descending }] of index.fields.entries()) {
    const multikey = index.multikey[at] === true;
    const found = usable(clauses, path.text, multikey);
    if (found.length === 0) break;
    const intervals = found.map((clause) => clause.intervals ?? []).reduce(intersect);
    const arePoints = intervals.every(({ isPoint }) => isPoint);
    if (prefixes.length * intervals.length > RANGES_MAX) break;
    const isExact =
      arePoints || !intervals.some(({ lo, hi }) => isLong(lo, index) || isLong(hi, index));
    if (isExact && !index.cut && !(multikey && holds(intervals, NULL_BYTES))) {
      for (const clause of found) answered.add(clause);
    }
    if (!arePoints) {
      tail = intervals;
      break;
    }
    points.push(intervals.length);
    prefixes = extend(
      prefixes,
      intervals.map(({ lo }) => pointBytes(lo.bytes, index, descending)),
    );
  }
  return { prefixes, tail, points, answered };
}

interface Order {
  readonly backward: boolean;
  /** The first field of the index that sorts. */
  readonly from: number;
  readonly merge: boolean;
}

/** How an index gives the order asked for within its bounds, or undefined when it does not. */
function orderOf(index: Index, sort: readonly SortField[], bounds: Bounds): Order | undefined {
  const { points } = bounds;
  const isConstant = (path: string): boolean =>
    index.fields.some(
      (field, at) => field.path.text === path && points[at] === 1 && index.multikey[at] !== true,
    );
  const wanted = sort.filter(({ path }) => !isConstant(path.text));
  if (wanted.length === 0) return { backward: false, from: 0, merge: false };
  if (index.cut) return undefined;
  let backward: boolean | undefined;
  let [from, merge, next] = [-1, false, 0];
  for (const [at, field] of index.fields.entries()) {
    const want = wanted[next];
    if (want === undefined) break;
    if (want.path.text === field.path.text) {
      const turned = want.descending !== field.descending;
      if (index.multikey[at] === true || (backward ?? turned) !== turned) return undefined;
      backward = turned;
      if (from < 0) from = at;
      next++;
    } else if ((points[at] ?? 0) > 1 && from < 0) {
      merge = true;
    } else if (points[at] !== 1) {
      return undefined;
    }
  }
  return next < wanted.length ? undefined : { backward: backward ?? false, from, merge };
}

function rangesOf(index: Index, bounds: Bounds, from: number): Range[] {
  const { prefixes, tail, points } = bounds;
  const descending = index.fields[points.length]?.descending ?? false;
  const ranges = prefixes.flatMap(({ bytes, ends }) => {
    const orderAt = from <= 0 ? 4 : (ends[from - 1] ?? bytes.length);
    if (tail === undefined) return [{ start: bytes, end: Buffer.concat([bytes, LAST]), orderAt }];
    return tail.map(({ lo, hi }) => {
      const [first, last] = descending ? [hi, lo] : [lo, hi];
      return {
        start: Buffer.concat([bytes, edge(first, descending, index, descending)]),
        end: Buffer.concat([bytes, edge(last, !descending, index, descending)]),
        orderAt,
      };
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

/** Chooses how to answer a query; `hint` is the one index to use, null for none at all. */
export function planOf(
  collection: Collection,
  filter: Filter,
  sort: readonly SortField[],
  hint?: Index | null,
): Plan {
  const indexes = hint === undefined ? [collection.id, ...collection.indexes] : [];
  if (hint !== undefined && hint !== null) indexes.push(hint);
  let best: Candidate | undefined;
  for (const index of indexes) {
    const next = candidate(index, filter.clauses, sort);
    if (best === undefined || next.score > best.score) best = next;
  }
  if (best === undefined || (best.score === 0 && hint === undefined)) {
    return wholeCollection(collection, filter, sort.length === 0);
  }
  const { index, bounds, order } = best;
  const from = order?.from ?? 0;
  return {
    collection,
    index,
    ranges: rangesOf(index, bounds, from),
    backward: order?.backward ?? false,
    merge: order?.merge ?? false,
    sorted: order !== undefined,
    repeats: index.multikey.includes(true),
    rest: filter.clauses.filter((clause) => !bounds.answered.has(clause)),
    byId: index === collection.id && bounds.points.length === 1 && !(order?.merge ?? false),
  };
}
