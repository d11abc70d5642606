import { CommandError } from '../errors.js';

/** BSON type bytes (bsonspec.org, version 1.1). */
export const TYPE = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binary: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  code: 13,
  symbol: 14,
  codeWithScope: 15,
  int32: 16,
  timestamp: 17,
  int64: 18,
  decimal: 19,
  maxKey: 127,
  minKey: 255,
} as const;

/** One BSON value where it lies: its type and the bytes `[start, end)` of `buf`. */
export class Raw {
  constructor(
    readonly type: number,
    readonly buf: Buffer,
    readonly start: number,
    readonly end: number,
  ) {}

  /** The bytes of the value, a view. */
  bytes(): Buffer {
    return this.buf.subarray(this.start, this.end);
  }

  /** True for an embedded document or an array. */
  isContainer(): boolean {
    return this.type === TYPE.object || this.type === TYPE.array;
  }
}

/** Null as a value of its own, for what a document does not hold. */
export const NULL_VALUE = new Raw(TYPE.null, Buffer.alloc(0), 0, 0);

/** MongoDB's limit on nesting (BSONDepth::kDefaultMaxAllowableDepth). */
const DEPTH_MAX = 200;

/** Bytes of each type whose values all have one size; 0xff marks the others. */
const FIXED_SIZES = new Uint8Array(256).fill(0xff);
for (const [type, size] of [
  [TYPE.double, 8],
  [TYPE.undefined, 0],
  [TYPE.objectId, 12],
  [TYPE.bool, 1],
  [TYPE.date, 8],
  [TYPE.null, 0],
  [TYPE.int32, 4],
  [TYPE.timestamp, 8],
  [TYPE.int64, 8],
  [TYPE.decimal, 16],
  [TYPE.maxKey, 0],
  [TYPE.minKey, 0],
] as const) {
  FIXED_SIZES[type] = size;
}

function invalid(what: string): CommandError {
  return new CommandError(22, `Invalid BSON: ${what}`);
}

function cstringEnd(buf: Buffer, start: number, limit: number): number {
  let at = start;
  while (at < limit && buf[at] !== 0) at++;
  if (at >= limit) throw invalid('a name or pattern without an end');
  return at;
}

function lengthAt(buf: Buffer, at: number, limit: number): number {
  if (at + 4 > limit) throw invalid('a length beyond the document');
  const length = buf.readInt32LE(at);
  if (length < 0) throw invalid('a negative length');
  return length;
}

function variableSize(type: number, buf: Buffer, at: number, limit: number): number {
  switch (type) {
    case TYPE.string:
    case TYPE.code:
    case TYPE.symbol:
      return 4 + lengthAt(buf, at, limit);
    case TYPE.object:
    case TYPE.array:
    case TYPE.codeWithScope:
      return lengthAt(buf, at, limit);
    case TYPE.binary:
      return 5 + lengthAt(buf, at, limit);
    case TYPE.regex:
      return cstringEnd(buf, cstringEnd(buf, at, limit) + 1, limit) + 1 - at;
    case TYPE.dbPointer:
      return 16 + lengthAt(buf, at, limit);
    default:
      throw invalid(`unknown type ${type}`);
  }
}

/** Walks the elements of one document or array without decoding them; reuse it by `reset`. */
export class ElementCursor {
  type = 0;
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  private limit = 0;

  constructor(
    private buf: Buffer,
    start: number,
  ) {
    this.reset(buf, start);
  }

  reset(buf: Buffer, start: number): void {
    this.buf = buf;
    const length = lengthAt(buf, start, buf.length);
    if (length < 5 || start + length > buf.length) throw invalid('a document of a wrong length');
    this.limit = start + length - 1;
    this.valueEnd = start + 4;
  }

  /** Moves to the next element; false at the end. */
  next(): boolean {
    const buf = this.buf;
    const at = this.valueEnd;
    if (at >= this.limit) return false;
    this.type = buf[at] ?? 0;
    this.nameStart = at + 1;
    this.nameEnd = cstringEnd(buf, at + 1, this.limit);
    this.valueStart = this.nameEnd + 1;
    const fixed = FIXED_SIZES[this.type] ?? 0xff;
    const size = fixed === 0xff ? variableSize(this.type, buf, this.valueStart, this.limit) : fixed;
    this.valueEnd = this.valueStart + size;
    if (this.valueEnd > this.limit) throw invalid('a value beyond its document');
    return true;
  }

  name(): string {
    return this.buf.toString('utf8', this.nameStart, this.nameEnd);
  }

  value(): Raw {
    return new Raw(this.type, this.buf, this.valueStart, this.valueEnd);
  }

  nameIs(name: Buffer): boolean {
    const length = name.length;
    if (this.nameEnd - this.nameStart !== length) return false;
    const buf = this.buf;
    for (let i = 0, at = this.nameStart; i < length; i++, at++) {
      if (buf[at] !== name[i]) return false;
    }
    return true;
  }
}

/** A whole document as a value. */
export function documentOf(buf: Buffer): Raw {
  return new Raw(TYPE.object, buf, 0, buf.length);
}

const scratch = new ElementCursor(Buffer.from([5, 0, 0, 0, 0]), 0);

/** The value of one field of a document or array, or undefined. */
export function fieldOf(container: Raw, name: Buffer): Raw | undefined {
  scratch.reset(container.buf, container.start);
  while (scratch.next()) if (scratch.nameIs(name)) return scratch.value();
  return undefined;
}

/** The fields of a document by name; the last of equal names wins. */
export function fieldsOf(container: Raw): Map<string, Raw> {
  const fields = new Map<string, Raw>();
  const cursor = new ElementCursor(container.buf, container.start);
  while (cursor.next()) fields.set(cursor.name(), cursor.value());
  return fields;
}

/** The values of an array (or of a document, its names left out). */
export function elementsOf(container: Raw): Raw[] {
  const values: Raw[] = [];
  const cursor = new ElementCursor(container.buf, container.start);
  while (cursor.next()) values.push(cursor.value());
  return values;
}

/** Text of a string value. */
export function textOf(value: Raw): string {
  return value.buf.toString('utf8', value.start + 4, value.end - 1);
}

/** Refuses bytes that are not one well-formed document, all levels down (code 22). */
export function validateDocument(buf: Buffer, start: number, depth = 0): void {
  if (depth > DEPTH_MAX) {
    throw new CommandError(15, `BSONObj exceeded maximum nested object depth: ${DEPTH_MAX}`);
  }
  const cursor = new ElementCursor(buf, start);
  while (cursor.next()) {
    const { type, valueStart, valueEnd } = cursor;
    if (type === TYPE.object || type === TYPE.array) {
      if (valueEnd - valueStart < 5) throw invalid('an embedded document of a wrong length');
      validateDocument(buf, valueStart, depth + 1);
    } else if (type === TYPE.string) {
      validateText(buf, valueStart, valueEnd);
    }
  }
  if (buf[cursor.valueEnd] !== 0) throw invalid('a document without an end');
}

function validateText(buf: Buffer, start: number, end: number): void {
  if (end - start < 5 || buf[end - 1] !== 0) throw invalid('a string without an end');
}
