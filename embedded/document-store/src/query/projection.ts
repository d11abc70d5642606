import { Query } from 'mingo';
import { toBytes, toObject } from '../bson/convert.js';
import { isNumber, truthOf } from '../bson/number.js';
import { type Raw, ElementCursor, TYPE, documentOf } from '../bson/raw.js';
import { BsonWriter } from '../bson/write.js';
import { CommandError, notSupported } from '../errors.js';

/** Turns a stored document into what the client asked to see. */
export type Projection = (document: Buffer) => Buffer;

type Tree = Map<string, Tree | true>;

function isSwitch(value: Raw): boolean {
  return value.type === TYPE.bool || isNumber(value);
}

function plant(tree: Tree, path: string): void {
  const parts = path.split('.');
  const last = parts.pop() ?? '';
  let at = tree;
  for (const part of parts) {
    const next = at.get(part);
    if (next === true) return;
    const branch = next ?? new Map<string, Tree | true>();
    at.set(part, branch);
    at = branch;
  }
  at.set(last, true);
}

const writer = new BsonWriter();

function copy(value: Raw, tree: Tree, keeps: boolean): void {
  const start = writer.open();
  const cursor = new ElementCursor(value.buf, value.start);
  while (cursor.next()) {
    const branch = tree.get(cursor.name());
    const inner = cursor.value();
    if (branch === undefined || branch === true) {
      if ((branch === true) === keeps) element(cursor, inner);
    } else if (inner.type === TYPE.object) {
      writer.head(inner.type, cursor.name());
      copy(inner, branch, keeps);
    } else if (inner.type === TYPE.array) {
      writer.head(inner.type, cursor.name());
      copyArray(inner, branch, keeps);
    } else if (!keeps) {
      element(cursor, inner);
    }
  }
  writer.close(start);
}

function element(cursor: ElementCursor, value: Raw): void {
  writer.raw(value.buf, cursor.nameStart - 1, cursor.valueEnd);
}

function copyArray(value: Raw, tree: Tree, keeps: boolean): void {
  const start = writer.open();
  const cursor = new ElementCursor(value.buf, value.start);
  let at = 0;
  while (cursor.next()) {
    const inner = cursor.value();
    if (inner.type === TYPE.object) {
      writer.head(inner.type, String(at++));
      copy(inner, tree, keeps);
    } else if (inner.type === TYPE.array) {
      writer.head(inner.type, String(at++));
      copyArray(inner, tree, keeps);
    } else if (!keeps) {
      writer.element(String(at++), inner);
    }
  }
  writer.close(start);
}

function byMingo(projection: Raw): Projection {
  const spec = toObject(projection) as Record<string, 0 | 1>;
  const query = new Query({});
  return (document) => {
    const [shown] = query
      .find<Record<string, unknown>>([toObject(documentOf(document))], spec)
      .all();
    return toBytes(shown ?? {});
  };
}

interface Switches {
  readonly tree: Tree;
  keeps?: boolean;
  keepsId?: boolean;
}

function addSwitch(switches: Switches, name: string, isKept: boolean): void {
  if (name === '_id') {
    switches.keepsId = isKept;
    return;
  }
  if (name.endsWith('.$')) throw notSupported('A positional projection');
  if (switches.keeps !== undefined && switches.keeps !== isKept) {
    const [one, other] = isKept ? ['inclusion', 'exclusion'] : ['exclusion', 'inclusion'];
    throw new CommandError(31254, `Cannot do ${one} on field ${name} in ${other} projection`);
  }
  switches.keeps = isKept;
  plant(switches.tree, name);
}

/** Compiles a projection; undefined when the documents go out as they are. */
export function compileProjection(projection: Raw | undefined): Projection | undefined {
  if (projection === undefined) return undefined;
  const cursor = new ElementCursor(projection.buf, projection.start);
  const switches: Switches = { tree: new Map() };
  while (cursor.next()) {
    const value = cursor.value();
    if (!isSwitch(value)) return byMingo(projection);
    addSwitch(switches, cursor.name(), truthOf(value));
  }
  const { tree, keeps, keepsId } = switches;
  const isInclusion = keeps ?? keepsId;
  if (isInclusion === undefined) return undefined;
  if ((keepsId ?? true) === isInclusion) tree.set('_id', true);
  return (document) => {
    writer.at = 0;
    copy(documentOf(document), tree, isInclusion);
    return writer.take();
  };
}
