import { numberOf } from '../bson/number.js';
import { type Raw, TYPE, elementsOf, fieldsOf } from '../bson/raw.js';
import { CommandError, notSupported } from '../errors.js';
import { encodeValue } from '../keys/encode.js';
import { compileElement } from '../query/filter.js';
import { equalTo } from '../query/operators.js';
import { Container, type Place, rawOf } from './tree.js';

type ArrayChange = (place: Place) => void;

function arrayAt({ container, name }: Place, path: string, operator: string): Container {
  const opened = container.open(name);
  if (opened?.isArray === true) return opened;
  if (container.get(name) !== undefined) {
    throw new CommandError(
      2,
      `The field '${path}' must be an array but ${operator} found another type`,
    );
  }
  const made = new Container(true);
  container.set(name, made);
  return made;
}

function eachOf(operand: Raw, operator: string): { values: Raw[]; options: Map<string, Raw> } {
  const options = operand.type === TYPE.object ? fieldsOf(operand) : new Map<string, Raw>();
  const each = options.get('$each');
  if (each === undefined) return { values: [operand], options: new Map() };
  if (each.type !== TYPE.array) {
    throw new CommandError(14, `The argument to $each in ${operator} must be an array`);
  }
  return { values: elementsOf(each), options };
}

function wholeNumber(value: Raw | undefined, name: string): number | undefined {
  const number = numberOf(value);
  if (value !== undefined && (number === undefined || !Number.isInteger(number))) {
    throw new CommandError(2, `The value for ${name} must be an integer value`);
  }
  return number;
}

/** `$push`, one value or `$each` with `$position` and `$slice`. */
export function push(path: string, operand: Raw): ArrayChange {
  const { values, options } = eachOf(operand, '$push');
  for (const name of options.keys()) {
    if (name === '$sort') throw notSupported('$sort in $push');
    if (!['$each', '$slice', '$position'].includes(name)) {
      throw new CommandError(2, `Unrecognized clause in $push: ${name}`);
    }
  }
  const slice = wholeNumber(options.get('$slice'), '$slice');
  const position = wholeNumber(options.get('$position'), '$position');
  return (place) => {
    const { slots } = arrayAt(place, path, '$push');
    slots.splice(position ?? slots.length, 0, ...values);
    if (slice === undefined) return;
    if (slice >= 0) slots.splice(slice);
    else slots.splice(0, Math.max(0, slots.length + slice));
  };
}

/** `$addToSet`, one value or `$each`: what is not yet there is put at the end. */
export function addToSet(path: string, operand: Raw): ArrayChange {
  const { values } = eachOf(operand, '$addToSet');
  return (place) => {
    const { slots } = arrayAt(place, path, '$addToSet');
    const known = new Set(slots.map((slot) => encodeValue(rawOf(slot)).toString('latin1')));
    for (const value of values) {
      const name = encodeValue(value).toString('latin1');
      if (known.has(name)) continue;
      known.add(name);
      slots.push(value);
    }
  };
}

function removing(path: string, operator: string, isGone: (value: Raw) => boolean): ArrayChange {
  return (place) => {
    const { slots } = arrayAt(place, path, operator);
    const kept = slots.filter((slot) => !isGone(rawOf(slot)));
    if (kept.length < slots.length) slots.splice(0, slots.length, ...kept);
  };
}

/** `$pull`: elements equal to a value or meeting a condition are taken out. */
export function pull(path: string, operand: Raw): ArrayChange {
  if (operand.type === TYPE.object) {
    const test = compileElement(operand);
    return removing(path, '$pull', test);
  }
  const { test } = equalTo(operand, true);
  return removing(path, '$pull', (value) =>
    test({ values: [value], throughArray: false, missing: false }),
  );
}

/** `$pullAll`: elements equal to any of the values are taken out. */
export function pullAll(path: string, operand: Raw): ArrayChange {
  if (operand.type !== TYPE.array) throw new CommandError(2, '$pullAll requires an array');
  const gone = new Set(elementsOf(operand).map((value) => encodeValue(value).toString('latin1')));
  return removing(path, '$pullAll', (value) => gone.has(encodeValue(value).toString('latin1')));
}

/** `$pop`: the last element (1) or the first (-1) is taken out. */
export function pop(path: string, operand: Raw): ArrayChange {
  const end = numberOf(operand);
  if (end !== 1 && end !== -1) throw new CommandError(9, '$pop expects 1 or -1');
  return (place) => {
    const { slots } = arrayAt(place, path, '$pop');
    if (end === 1) slots.pop();
    else slots.shift();
  };
}
