import type { Raw } from '../bson/raw.js';
import { TAG, encodeValue, tagOf } from '../keys/encode.js';
import { numberOf } from '../bson/number.js';

/** A place between encoded values: before all that begin with `bytes`, or after them. */
export interface Bound {
  readonly bytes: Buffer;
  readonly after: boolean;
  /** `bytes`, or the least that comes after all that begin with them: compares as it stands. */
  readonly place: Buffer;
}

/** Encoded values from `lo` up to `hi`; a point holds one value only. */
export interface Interval {
  readonly lo: Bound;
  readonly hi: Bound;
  readonly isPoint: boolean;
}

const LAST = Buffer.from([0xff]);

/** The least bytes above all that begin with these. */
export function successor(bytes: Buffer): Buffer {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0xff) length--;
  if (length === 0) return LAST;
  const next = Buffer.from(bytes.subarray(0, length));
  next[length - 1] = (next[length - 1] ?? 0) + 1;
  return next;
}

function bound(bytes: Buffer, after: boolean): Bound {
  return { bytes, after, place: after ? successor(bytes) : bytes };
}

function between(lo: Bound, hi: Bound): Interval[] {
  if (Buffer.compare(lo.place, hi.place) >= 0) return [];
  return [{ lo, hi, isPoint: lo.bytes === hi.bytes }];
}

/** Only this value. */
export function point(value: Raw): Interval {
  const bytes = encodeValue(value);
  return { lo: bound(bytes, false), hi: bound(bytes, true), isPoint: true };
}

/** Every value. */
export const EVERYTHING: Interval = {
  lo: bound(Buffer.alloc(0), false),
  hi: bound(Buffer.alloc(0), true),
  isPoint: false,
};

function bracket(value: Raw): [Bound, Bound] {
  const tag = tagOf(value.type);
  const prefix = Buffer.from([tag]);
  if (tag === TAG.minKey || tag === TAG.maxKey) return [EVERYTHING.lo, EVERYTHING.hi];
  if (tag !== TAG.number) return [bound(prefix, false), bound(prefix, true)];
  return [bound(NAN, true), bound(prefix, true)];
}

const NAN = Buffer.from([TAG.number, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** What an ordering operator admits: values of the operand's kind only, as in MongoDB. */
export function ordered(operator: string, value: Raw): Interval[] {
  const bytes = encodeValue(value);
  const isEqual = operator === '$gte' || operator === '$lte';
  if (tagOf(value.type) === TAG.null || Number.isNaN(numberOf(value) ?? 0)) {
    return isEqual ? [point(value)] : [];
  }
  const [first, last] = bracket(value);
  if (operator === '$gt') return between(bound(bytes, true), last);
  if (operator === '$gte') return between(bound(bytes, false), last);
  return between(first, bound(bytes, operator === '$lte'));
}

/** The common part of two sorted lists. */
export function intersect(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const x of a) {
    for (const y of b) {
      const lo = Buffer.compare(x.lo.place, y.lo.place) >= 0 ? x.lo : y.lo;
      const hi = Buffer.compare(x.hi.place, y.hi.place) <= 0 ? x.hi : y.hi;
      if (Buffer.compare(lo.place, hi.place) >= 0) continue;
      result.push({ lo, hi, isPoint: x.isPoint || y.isPoint });
    }
  }
  return result;
}

/** Sorted, equal ones once. Only for points. */
export function sortedPoints(points: Interval[]): Interval[] {
  points.sort((a, b) => Buffer.compare(a.lo.bytes, b.lo.bytes));
  return points.filter((x, at) => at === 0 || !x.lo.bytes.equals(points[at - 1]?.lo.bytes ?? LAST));
}

/** True when one of the intervals holds the encoded value. */
export function holds(intervals: readonly Interval[], encoded: Buffer): boolean {
  if (intervals.length > SEARCH_FROM) return search(intervals, encoded);
  for (const { lo, hi } of intervals) {
    if (Buffer.compare(lo.place, encoded) <= 0 && Buffer.compare(encoded, hi.place) < 0)
      return true;
  }
  return false;
}

/** Longer lists are searched by halves. */
const SEARCH_FROM = 8;

function search(intervals: readonly Interval[], encoded: Buffer): boolean {
  let [from, to] = [0, intervals.length - 1];
  while (from <= to) {
    const middle = (from + to) >> 1;
    const at = intervals[middle];
    if (at === undefined) return false;
    if (Buffer.compare(encoded, at.lo.place) < 0) to = middle - 1;
    else if (Buffer.compare(encoded, at.hi.place) >= 0) from = middle + 1;
    else return true;
  }
  return false;
}
