import { ObjectId } from 'bson';
import { fromValue } from '../bson/convert.js';
import {
  type Raw,
  ElementCursor,
  TYPE,
  documentOf,
  elementsOf,
  fieldOf,
  fieldsOf,
} from '../bson/raw.js';
import { withIdFirst } from '../bson/write.js';
import { CommandError, notSupported } from '../errors.js';
import { encodeValue } from '../keys/encode.js';
import { isOperators } from '../query/filter.js';
import { type Change, compileChange } from './operators.js';
import { Container, bytesOf, placeOf } from './tree.js';

const ID = Buffer.from('_id');

/** What an update does to a document, whatever document it is. */
export interface Update {
  readonly isReplacement: boolean;
  /** The document after the update; `_id` stays. */
  apply(document: Buffer): Buffer;
  /** The document an upsert inserts, from what the filter fixes. */
  create(filter: Raw): { document: Buffer; id: Raw };
}

/** The `_id` of a document, which stored documents always have. */
export function idOf(document: Raw): Raw | undefined {
  return fieldOf(document, ID);
}

function sameId(before: Raw | undefined, after: Raw | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  return encodeValue(before).equals(encodeValue(after));
}

function immutableId(): CommandError {
  return new CommandError(
    66,
    "Performing an update on the path '_id' would modify the immutable field '_id'",
  );
}

/** Refuses an `_id` that MongoDB does not take. */
export function checkId(id: Raw): void {
  const isBad =
    id.type === TYPE.array ||
    id.type === TYPE.regex ||
    id.type === TYPE.undefined ||
    (id.type === TYPE.object && isOperators(id));
  if (isBad) throw new CommandError(53, `The '_id' value cannot be of type ${id.type}`);
}

/** Fields that a filter fixes by equality, which an upsert starts from. */
function fixedFields(filter: Raw): [string, Raw][] {
  const fixed: [string, Raw][] = [];
  const cursor = new ElementCursor(filter.buf, filter.start);
  while (cursor.next()) {
    const [name, value] = [cursor.name(), cursor.value()];
    if (name === '$and') {
      for (const branch of elementsOf(value)) fixed.push(...fixedFields(branch));
    } else if (!name.startsWith('$')) {
      const equal = isOperators(value) ? fieldsOf(value).get('$eq') : value;
      if (equal !== undefined && equal.type !== TYPE.regex) fixed.push([name, equal]);
    }
  }
  return fixed;
}

function newId(): Raw {
  return fromValue(new ObjectId());
}

function replacement(source: Raw): Update {
  const own = idOf(source);
  return {
    isReplacement: true,
    apply(document) {
      const id = idOf(documentOf(document));
      if (own !== undefined && !sameId(id, own)) throw immutableId();
      return id === undefined ? Buffer.from(source.bytes()) : withIdFirst(source, id);
    },
    create(filter) {
      const fixed = fixedFields(filter).find(([name]) => name === '_id')?.[1];
      if (own !== undefined && fixed !== undefined && !sameId(fixed, own)) throw immutableId();
      const id = own ?? fixed ?? newId();
      checkId(id);
      return { document: withIdFirst(source, id), id };
    },
  };
}

function checkConflicts(changes: readonly Change[]): void {
  for (let at = 1; at < changes.length; at++) {
    const [before, path] = [changes[at - 1]?.path ?? '', changes[at]?.path ?? ''];
    if (path !== before && !path.startsWith(`${before}.`)) continue;
    throw new CommandError(
      40,
      `Updating the path '${path}' would create a conflict at '${before}'`,
    );
  }
}

function checkPath(path: string): void {
  if (path === '' || path.startsWith('.') || path.endsWith('.') || path.includes('..')) {
    throw new CommandError(56, `The update path '${path}' contains an empty field name`);
  }
  if (path.split('.').some((part) => part.startsWith('$'))) {
    throw notSupported(`The positional operator in '${path}'`);
  }
}

/** By path; '.' sorts first, so that a path comes right before those below it. */
function byPath(a: Change, b: Change): number {
  const [x, y] = [a.path.replaceAll('.', '\0'), b.path.replaceAll('.', '\0')];
  return x < y ? -1 : x > y ? 1 : 0;
}

function compileChanges(source: Raw): Change[] {
  const changes: Change[] = [];
  for (const [operator, paths] of fieldsOf(source)) {
    if (!operator.startsWith('$')) {
      throw new CommandError(9, `Unknown modifier: ${operator}. Expected a valid update modifier`);
    }
    if (paths.type !== TYPE.object) {
      throw new CommandError(
        9,
        `Modifiers operate on fields but we found another type: ${operator}`,
      );
    }
    for (const [path, operand] of fieldsOf(paths)) {
      checkPath(path);
      changes.push({ path, apply: compileChange(operator, path, operand) });
    }
  }
  changes.sort(byPath);
  checkConflicts(changes);
  return changes;
}

function operators(source: Raw): Update {
  const changes = compileChanges(source);
  const run = (root: Container, isInsert: boolean): void => {
    for (const change of changes) change.apply(root, isInsert);
  };
  return {
    isReplacement: false,
    apply(document) {
      const root = Container.from(documentOf(document));
      run(root, false);
      const after = bytesOf(root);
      if (!sameId(idOf(documentOf(document)), idOf(documentOf(after)))) throw immutableId();
      return after;
    },
    create(filter) {
      const root = new Container(false);
      const fixed = fixedFields(filter);
      for (const [path, value] of fixed) {
        const place = placeOf(root, path, true);
        place?.container.set(place.name, value);
      }
      const before = fixed.find(([path]) => path === '_id')?.[1];
      run(root, true);
      const made = documentOf(bytesOf(root));
      const found = idOf(made);
      if (before !== undefined && !sameId(before, found)) throw immutableId();
      const id = found ?? newId();
      checkId(id);
      return { document: withIdFirst(made, id), id };
    },
  };
}

/** Compiles the `u` of an update statement. */
export function compileUpdate(source: Raw): Update {
  if (source.type === TYPE.array) throw notSupported('An update by an aggregation pipeline');
  if (source.type !== TYPE.object) {
    throw new CommandError(9, 'Update argument must be either an object or an array');
  }
  return isOperators(source) ? operators(source) : replacement(source);
}
