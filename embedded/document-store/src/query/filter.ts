import { Query } from 'mingo';
import { toObject } from '../bson/convert.js';
import { buildDocument } from '../bson/write.js';
import { type Raw, ElementCursor, TYPE, documentOf, elementsOf, fieldsOf } from '../bson/raw.js';
import { CommandError, notSupported } from '../errors.js';
import { type Found, type Path, follow, pathOf } from '../keys/paths.js';
import type { Interval } from './intervals.js';
import { type OperatorTest, compileOperator, equalTo } from './operators.js';

/** One condition of a filter; all of them must hold. */
export interface Clause {
  readonly matches: (document: Raw) => boolean;
  /** The field and the values it may have, when the condition is of that kind: indexes use it. */
  readonly path?: Path;
  readonly intervals?: readonly Interval[];
}

/** A compiled filter. */
export interface Filter {
  readonly clauses: readonly Clause[];
}

/** True when a document meets every condition. */
export function matches(filter: Filter, document: Raw): boolean {
  for (const clause of filter.clauses) if (!clause.matches(document)) return false;
  return true;
}

/** Operators that mingo answers, on the decoded document. */
const BY_MINGO = new Set([
  '$expr',
  '$jsonSchema',
  '$bitsAllSet',
  '$bitsAnySet',
  '$bitsAllClear',
  '$bitsAnyClear',
]);

/** True for `{$gt: …}`: a document of operators, not a value. */
export function isOperators(value: Raw): boolean {
  if (value.type !== TYPE.object) return false;
  const cursor = new ElementCursor(value.buf, value.start);
  return cursor.next() && value.buf[cursor.nameStart] === 0x24;
}

function fromTest(path: Path, { test, intervals }: OperatorTest): Clause {
  const clause = { path, matches: (document: Raw) => test(follow(document, path)) };
  return intervals === undefined ? clause : { ...clause, intervals };
}

function byMingo(name: string, value: Raw): Clause {
  const bytes = buildDocument([[name, value]]);
  const query = new Query(toObject(documentOf(bytes)));
  return { matches: (document) => query.test(toObject(document)) };
}

function branches(name: string, value: Raw): Filter[] {
  if (value.type !== TYPE.array || elementsOf(value).length === 0) {
    throw new CommandError(2, `${name} must be a nonempty array`);
  }
  return elementsOf(value).map((branch) => {
    if (branch.type !== TYPE.object) {
      throw new CommandError(2, `${name} argument's entries must be objects`);
    }
    return compileFilter(branch);
  });
}

function compileTop(name: string, value: Raw): Clause[] {
  switch (name) {
    case '$and':
      return branches(name, value).flatMap((branch) => branch.clauses);
    case '$or': {
      const list = branches(name, value);
      const [only] = list;
      if (list.length === 1 && only !== undefined) return [...only.clauses];
      return [{ matches: (document) => list.some((branch) => matches(branch, document)) }];
    }
    case '$nor': {
      const list = branches(name, value);
      return [{ matches: (document) => !list.some((branch) => matches(branch, document)) }];
    }
    case '$comment':
      return [];
    default:
      if (BY_MINGO.has(name)) return [byMingo(name, value)];
      if (name === '$where' || name === '$text') throw notSupported(name);
      throw new CommandError(2, `unknown top level operator: ${name}`);
  }
}

function compileField(name: string, value: Raw): Clause[] {
  const path = pathOf(name);
  if (!isOperators(value)) return [fromTest(path, equalTo(value, true))];
  const operators = fieldsOf(value);
  const clauses: Clause[] = [];
  for (const [operator, operand] of operators) {
    if (operator === '$options') continue;
    if (BY_MINGO.has(operator)) clauses.push(byMingo(name, value));
    else clauses.push(fromTest(path, compile(operator, operand, operators)));
  }
  return clauses;
}

function compile(operator: string, operand: Raw, all: ReadonlyMap<string, Raw>): OperatorTest {
  switch (operator) {
    case '$not':
      return negate(operand);
    case '$elemMatch':
      return { test: anyElement(compileElement(operand)) };
    case '$all':
      return allOf(operand);
    default:
      return compileOperator(operator, operand, all.get('$options'));
  }
}

function compileTests(operators: Raw): ((found: Found) => boolean)[] {
  const all = fieldsOf(operators);
  return [...all]
    .filter(([operator]) => operator !== '$options')
    .map(([operator, operand]) => compile(operator, operand, all).test);
}

function negate(operand: Raw): OperatorTest {
  if (operand.type === TYPE.regex) {
    const { test } = equalTo(operand, true);
    return { test: (found) => !test(found) };
  }
  if (!isOperators(operand)) throw new CommandError(2, '$not needs a regex or a document');
  const tests = compileTests(operand);
  return { test: (found) => !tests.every((test) => test(found)) };
}

/** A condition on one element by itself: `{$gt: 1}` on the value, else a filter on the document. */
export function compileElement(condition: Raw): (element: Raw) => boolean {
  if (isOperators(condition) && !hasLogic(condition)) {
    const tests = compileTests(condition);
    return (element) => {
      const found = { values: [element], throughArray: false, missing: false };
      return tests.every((test) => test(found));
    };
  }
  if (condition.type !== TYPE.object) throw new CommandError(2, '$elemMatch needs an Object');
  const filter = compileFilter(condition);
  return (element) => element.isContainer() && matches(filter, element);
}

function hasLogic(condition: Raw): boolean {
  const fields = fieldsOf(condition);
  return fields.has('$and') || fields.has('$or') || fields.has('$nor');
}

function anyElement(test: (element: Raw) => boolean): (found: Found) => boolean {
  return (found) =>
    found.values.some((value) => value.type === TYPE.array && elementsOf(value).some(test));
}

function allOf(operand: Raw): OperatorTest {
  if (operand.type !== TYPE.array) throw new CommandError(2, '$all needs an array');
  const tests = elementsOf(operand).map((element) => {
    const inner = isOperators(element) ? fieldsOf(element).get('$elemMatch') : undefined;
    return inner === undefined ? equalTo(element, true).test : anyElement(compileElement(inner));
  });
  return { test: (found) => tests.length > 0 && tests.every((test) => test(found)) };
}

/** Compiles a filter once for a whole query. */
export function compileFilter(filter: Raw | undefined): Filter {
  if (filter === undefined) return { clauses: [] };
  if (filter.type !== TYPE.object) {
    throw new CommandError(14, "Expected field 'filter' to be of type object");
  }
  const clauses: Clause[] = [];
  const cursor = new ElementCursor(filter.buf, filter.start);
  while (cursor.next()) {
    const name = cursor.name();
    const value = cursor.value();
    clauses.push(...(name.startsWith('$') ? compileTop(name, value) : compileField(name, value)));
  }
  return { clauses };
}
