import { Double, Int32, Long } from 'bson';
import { fromValue } from '../bson/convert.js';
import { integerOf, isNumber, numberOf } from '../bson/number.js';
import { type Raw, TYPE, fieldsOf, textOf } from '../bson/raw.js';
import { CommandError, notSupported } from '../errors.js';
import { encodeValue } from '../keys/encode.js';
import { addToSet, pop, pull, pullAll, push } from './arrays.js';
import { type Container, type Place, placeOf, rawOf } from './tree.js';

/** One change of one path, ready to be applied to any document. */
export interface Change {
  readonly path: string;
  apply(root: Container, isInsert: boolean): void;
}

function order(a: Raw, b: Raw): number {
  return Buffer.compare(encodeValue(a), encodeValue(b));
}

const INT32_MAX = 0x7fffffffn;
const INT64_MAX = (1n << 63n) - 1n;

function integer(value: bigint, isLong: boolean): Raw {
  if (!isLong && value <= INT32_MAX && value >= -INT32_MAX - 1n) {
    return fromValue(new Int32(Number(value)));
  }
  if (value > INT64_MAX || value < -INT64_MAX - 1n) {
    throw new CommandError(2, 'Failed to apply $inc or $mul: integer overflow');
  }
  return fromValue(Long.fromBigInt(value));
}

function checkNumeric(name: string, value: Raw): void {
  if (value.type === TYPE.decimal) throw notSupported(`${name} on Decimal128`);
  if (isNumber(value)) return;
  throw new CommandError(14, `Cannot apply ${name} to a value of non-numeric type.`);
}

function arithmetic(name: string, current: Raw, by: Raw): Raw {
  checkNumeric(name, current);
  checkNumeric(name, by);
  const [a, b] = [integerOf(current), integerOf(by)];
  const isSum = name === '$inc';
  if (a !== undefined && b !== undefined) {
    const isLong = current.type === TYPE.int64 || by.type === TYPE.int64;
    return integer(isSum ? a + b : a * b, isLong);
  }
  const [x, y] = [numberOf(current) ?? 0, numberOf(by) ?? 0];
  return fromValue(new Double(isSum ? x + y : x * y));
}

function zeroOf(by: Raw): Raw {
  if (by.type === TYPE.double) return fromValue(new Double(0));
  return by.type === TYPE.int64 ? fromValue(Long.ZERO) : fromValue(new Int32(0));
}

function numeric(name: string, path: string, operand: Raw): Change['apply'] {
  if (!isNumber(operand)) {
    throw new CommandError(14, `Cannot ${name.slice(1)} with non-numeric argument: {${path}: …}`);
  }
  return withPlace(path, ({ container, name: last }) => {
    const current = container.get(last);
    if (current !== undefined) container.set(last, arithmetic(name, rawOf(current), operand));
    else container.set(last, name === '$inc' ? operand : zeroOf(operand));
  });
}

/** A change that makes its path as it goes. */
function withPlace(path: string, change: (place: Place) => void): Change['apply'] {
  return (root) => {
    const place = placeOf(root, path, true);
    if (place !== undefined) change(place);
  };
}

/** A change of what is there; nothing happens where the path does not lead to a value. */
function atExisting(path: string, change: (place: Place) => void): Change['apply'] {
  return (root) => {
    const place = placeOf(root, path, false);
    if (place !== undefined && place.container.get(place.name) !== undefined) change(place);
  };
}

function keepIf(path: string, operand: Raw, wins: (order: number) => boolean): Change['apply'] {
  return withPlace(path, ({ container, name }) => {
    const current = container.get(name);
    if (current === undefined || wins(order(operand, rawOf(current)))) container.set(name, operand);
  });
}

function rename(path: string, operand: Raw): Change['apply'] {
  if (operand.type !== TYPE.string) {
    throw new CommandError(2, `The 'to' field for $rename must be a string: ${path}`);
  }
  const to = textOf(operand);
  if (to === path) {
    throw new CommandError(2, `The source and target field for $rename must differ: ${path}`);
  }
  return (root) => {
    const from = placeOf(root, path, false);
    const slot = from?.container.get(from.name);
    if (from === undefined || slot === undefined) return;
    if (from.container.isArray) {
      throw new CommandError(2, `The source field of $rename cannot be an array element: ${path}`);
    }
    from.container.delete(from.name);
    const target = placeOf(root, to, true);
    target?.container.set(target.name, slot);
  };
}

function currentDate(path: string, operand: Raw): Change['apply'] {
  const kind = operand.type === TYPE.object ? fieldsOf(operand).get('$type') : undefined;
  if (kind !== undefined && textOf(kind) !== 'date') throw notSupported('$currentDate timestamps');
  return withPlace(path, ({ container, name }) => container.set(name, fromValue(new Date())));
}

/** Compiles one operator on one path. */
export function compileChange(operator: string, path: string, operand: Raw): Change['apply'] {
  switch (operator) {
    case '$set':
      return withPlace(path, ({ container, name }) => container.set(name, operand));
    case '$setOnInsert': {
      const set = withPlace(path, ({ container, name }) => container.set(name, operand));
      return (root, isInsert) => (isInsert ? set(root, isInsert) : undefined);
    }
    case '$unset':
      return atExisting(path, ({ container, name }) => container.delete(name));
    case '$inc':
    case '$mul':
      return numeric(operator, path, operand);
    case '$min':
      return keepIf(path, operand, (result) => result < 0);
    case '$max':
      return keepIf(path, operand, (result) => result > 0);
    case '$rename':
      return rename(path, operand);
    case '$currentDate':
      return currentDate(path, operand);
    case '$push':
      return withPlace(path, push(path, operand));
    case '$addToSet':
      return withPlace(path, addToSet(path, operand));
    case '$pull':
      return atExisting(path, pull(path, operand));
    case '$pullAll':
      return atExisting(path, pullAll(path, operand));
    case '$pop':
      return atExisting(path, pop(path, operand));
    case '$bit':
      throw notSupported('$bit');
    default:
      throw new CommandError(9, `Unknown modifier: ${operator}. Expected a valid update modifier`);
  }
}
