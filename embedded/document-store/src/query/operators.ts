import { integerOf, isNumber, numberOf, truthOf } from '../bson/number.js';
import { type Raw, ElementCursor, NULL_VALUE, TYPE, elementsOf, textOf } from '../bson/raw.js';
import { CommandError, notSupported } from '../errors.js';
import { encodeFleeting } from '../keys/encode.js';
import type { Found } from '../keys/paths.js';
import { type Interval, holds, ordered, point, sortedPoints } from './intervals.js';

/** A condition on what a path leads to; `intervals` when it says which values are admitted. */
export interface OperatorTest {
  readonly test: (found: Found) => boolean;
  readonly intervals?: readonly Interval[];
}

const NULL_BYTES = Buffer.from(encodeFleeting(NULL_VALUE));

/** True when the value, or an element of it, passes. */
function anyValue(found: Found, test: (value: Raw) => boolean): boolean {
  for (const value of found.values) {
    if (test(value)) return true;
    if (value.type !== TYPE.array) continue;
    const cursor = new ElementCursor(value.buf, value.start);
    while (cursor.next()) if (test(cursor.value())) return true;
  }
  return false;
}

function isNothing(found: Found): boolean {
  return found.missing || (found.values.length === 0 && !found.throughArray);
}

function within(intervals: readonly Interval[]): OperatorTest {
  const admitsNull = holds(intervals, NULL_BYTES);
  return {
    intervals,
    test: (found) =>
      (admitsNull && isNothing(found)) ||
      anyValue(found, (value) => holds(intervals, encodeFleeting(value))),
  };
}

/** Arrays as operands are compared as wholes, which index entries (their elements) cannot tell. */
function unindexed({ test }: OperatorTest): OperatorTest {
  return { test };
}

const REGEX_FLAGS = /^[imsxu]*$/;

function regexTest(source: string, options: string): OperatorTest {
  if (!REGEX_FLAGS.test(options)) throw new CommandError(2, `invalid flag in regex options`);
  if (options.includes('x')) throw notSupported('the regex option x');
  let regex: RegExp;
  try {
    regex = new RegExp(source, options);
  } catch {
    throw new CommandError(51091, `Regular expression is invalid: ${source}`);
  }
  return {
    test: (found) =>
      anyValue(found, (value) => value.type === TYPE.string && regex.test(textOf(value))),
  };
}

function regexOf(value: Raw, options?: Raw): OperatorTest {
  if (value.type === TYPE.string) {
    return regexTest(textOf(value), options === undefined ? '' : textOf(options));
  }
  if (value.type !== TYPE.regex) throw new CommandError(2, '$regex has to be a string');
  const middle = value.buf.indexOf(0, value.start);
  const flags = value.buf.toString('utf8', middle + 1, value.end - 1);
  return regexTest(
    value.buf.toString('utf8', value.start, middle),
    options === undefined ? flags : textOf(options),
  );
}

/** Equality as `{a: value}` has it; a regex as an implicit operand is matched, not compared. */
export function equalTo(value: Raw, isImplicit: boolean): OperatorTest {
  if (isImplicit && value.type === TYPE.regex) return regexOf(value);
  const test = within([point(value)]);
  return value.type === TYPE.array || value.type === TYPE.undefined ? unindexed(test) : test;
}

function oneOf(operand: Raw): OperatorTest {
  if (operand.type !== TYPE.array) throw new CommandError(2, '$in needs an array');
  const values = elementsOf(operand);
  const plain = values.filter(({ type }) => type !== TYPE.regex);
  const test = within(sortedPoints(plain.map(point)));
  if (plain.length < values.length) {
    const tests = values.filter(({ type }) => type === TYPE.regex).map((value) => regexOf(value));
    return { test: (found) => test.test(found) || tests.some((regex) => regex.test(found)) };
  }
  return plain.some(({ type }) => type === TYPE.array) ? unindexed(test) : test;
}

/** Type names as `$type` takes them, with the numbers they stand for. */
const TYPE_NAMES: Readonly<Record<string, readonly number[]>> = {
  double: [1],
  string: [2],
  object: [3],
  array: [4],
  binData: [5],
  undefined: [6],
  objectId: [7],
  bool: [8],
  date: [9],
  null: [10],
  regex: [11],
  int: [16],
  timestamp: [17],
  long: [18],
  decimal: [19],
  minKey: [255],
  maxKey: [127],
  number: [1, 16, 18, 19],
};

function typeTest(operand: Raw): OperatorTest {
  const wanted = new Set<number>();
  for (const value of operand.type === TYPE.array ? elementsOf(operand) : [operand]) {
    const number = numberOf(value);
    const types = number === undefined ? TYPE_NAMES[textOf(value)] : [number & 0xff];
    if (types === undefined) throw new CommandError(2, `Unknown type name alias`);
    for (const type of types) wanted.add(type);
  }
  return { test: (found) => anyValue(found, (value) => wanted.has(value.type)) };
}

function sizeTest(operand: Raw): OperatorTest {
  const size = numberOf(operand);
  if (size === undefined || size < 0 || !Number.isInteger(size)) {
    throw new CommandError(2, 'Failed to parse $size. Expected a non-negative integer');
  }
  return {
    test: (found) =>
      found.values.some((value) => value.type === TYPE.array && elementsOf(value).length === size),
  };
}

function modTest(operand: Raw): OperatorTest {
  const [divisor, rest] =
    operand.type === TYPE.array ? elementsOf(operand).map((value) => numberOf(value)) : [];
  if (divisor === undefined || rest === undefined) {
    throw new CommandError(2, 'malformed mod, needs to be an array of two numbers');
  }
  const [by, left] = [BigInt(Math.trunc(divisor)), BigInt(Math.trunc(rest))];
  if (by === 0n) throw new CommandError(2, 'divisor cannot be 0');
  return {
    test: (found) =>
      anyValue(found, (value) => {
        if (!isNumber(value)) return false;
        const number = numberOf(value) ?? Number.NaN;
        if (!Number.isFinite(number)) return false;
        return (integerOf(value) ?? BigInt(Math.trunc(number))) % by === left;
      }),
  };
}

function existsTest(operand: Raw): OperatorTest {
  const isWanted = truthOf(operand);
  return { test: (found) => found.values.length > 0 === isWanted };
}

function not({ test }: OperatorTest): OperatorTest {
  return { test: (found) => !test(found) };
}

/** Compiles one operator on a field; unknown ones are refused as MongoDB does (code 2). */
export function compileOperator(operator: string, operand: Raw, options?: Raw): OperatorTest {
  switch (operator) {
    case '$eq':
      return equalTo(operand, false);
    case '$ne':
      return not(equalTo(operand, false));
    case '$in':
      return oneOf(operand);
    case '$nin':
      return not(oneOf(operand));
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte': {
      const test = within(ordered(operator, operand));
      return operand.type === TYPE.array ? unindexed(test) : test;
    }
    case '$exists':
      return existsTest(operand);
    case '$type':
      return typeTest(operand);
    case '$size':
      return sizeTest(operand);
    case '$mod':
      return modTest(operand);
    case '$regex':
      return regexOf(operand, options);
    default:
      if (['$near', '$nearSphere', '$geoWithin', '$geoIntersects'].includes(operator)) {
        throw notSupported(operator);
      }
      throw new CommandError(2, `unknown operator: ${operator}`);
  }
}
