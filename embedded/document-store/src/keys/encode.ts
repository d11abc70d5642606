import { createHash } from 'node:crypto';
import { ElementCursor, Raw, TYPE } from '../bson/raw.js';
import { encodeNumber } from './numbers.js';

/**
 * First byte of an encoded value, in MongoDB's comparison order of types (canonicalizeBSONType).
 * None is 0x00 or 0xff, which are left to terminators and bounds.
 */
export const TAG = {
  minKey: 0x01,
  undefined: 0x03,
  null: 0x05,
  number: 0x0a,
  string: 0x0f,
  object: 0x14,
  array: 0x19,
  binary: 0x1e,
  objectId: 0x23,
  bool: 0x28,
  date: 0x2d,
  timestamp: 0x2f,
  regex: 0x32,
  dbPointer: 0x37,
  code: 0x3c,
  codeWithScope: 0x41,
  maxKey: 0x7f,
} as const;

const TAGS = new Uint8Array(256);
for (const [type, tag] of [
  [TYPE.double, TAG.number],
  [TYPE.int32, TAG.number],
  [TYPE.int64, TAG.number],
  [TYPE.decimal, TAG.number],
  [TYPE.string, TAG.string],
  [TYPE.symbol, TAG.string],
  [TYPE.object, TAG.object],
  [TYPE.array, TAG.array],
  [TYPE.binary, TAG.binary],
  [TYPE.undefined, TAG.undefined],
  [TYPE.objectId, TAG.objectId],
  [TYPE.bool, TAG.bool],
  [TYPE.date, TAG.date],
  [TYPE.null, TAG.null],
  [TYPE.regex, TAG.regex],
  [TYPE.dbPointer, TAG.dbPointer],
  [TYPE.code, TAG.code],
  [TYPE.codeWithScope, TAG.codeWithScope],
  [TYPE.timestamp, TAG.timestamp],
  [TYPE.maxKey, TAG.maxKey],
  [TYPE.minKey, TAG.minKey],
] as const) {
  TAGS[type] = tag;
}

/** The tag that values of a BSON type begin with. */
export function tagOf(type: number): number {
  return TAGS[type] ?? TAG.null;
}

const START_BYTES = 16 * 1024;
const HASH_BYTES = 32;

/**
 * Builds keys whose byte order is MongoDB's order of values. Every encoding ends where it is seen
 * to end, so encodings can follow one another.
 */
export class KeyWriter {
  buf = Buffer.allocUnsafeSlow(START_BYTES);
  at = 0;
  /** Set when a value was cut and its hash put in place: order and text past the cut are lost. */
  cut = false;

  reset(): void {
    this.at = 0;
    this.cut = false;
  }

  take(): Buffer {
    return Buffer.from(this.buf.subarray(0, this.at));
  }

  bytes(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    this.buf.set(source.subarray(start, end), this.at);
    this.at += end - start;
  }

  uint32(value: number): void {
    this.reserve(4);
    this.at = this.buf.writeUInt32BE(value, this.at);
  }

  byte(value: number): void {
    this.reserve(1);
    this.buf[this.at++] = value;
  }

  /** Appends a value of at most `limit` bytes: a longer one is cut and ends in its SHA-256. */
  value(value: Raw, descending: boolean, limit: number): void {
    const start = this.at;
    this.tagged(value);
    if (this.at - start > limit) {
      const digest = createHash('sha256').update(this.buf.subarray(start, this.at)).digest();
      this.at = start + limit - HASH_BYTES;
      this.bytes(digest, 0, HASH_BYTES);
      this.cut = true;
    }
    if (descending) this.invert(start);
  }

  /** Turns every byte from `start` over, so that larger values come first. */
  invert(start: number): void {
    for (let i = start; i < this.at; i++) this.buf[i] = ~(this.buf[i] ?? 0) & 0xff;
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.buf.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buf.length * 2, this.at + bytes));
    this.buf.copy(grown, 0, 0, this.at);
    this.buf = grown;
  }

  private tagged(value: Raw): void {
    this.byte(tagOf(value.type));
    this.untagged(value);
  }

  private untagged(value: Raw): void {
    const { buf, start, end } = value;
    switch (value.type) {
      case TYPE.string:
      case TYPE.symbol:
      case TYPE.code:
        return this.text(buf, start + 4, end - 1);
      case TYPE.int32:
      case TYPE.double:
      case TYPE.int64:
      case TYPE.decimal:
        this.reserve(32);
        this.at = encodeNumber(value, this.buf, this.at);
        return;
      case TYPE.object:
      case TYPE.codeWithScope:
        return this.object(value);
      case TYPE.array:
        return this.array(value);
      case TYPE.binary:
        this.uint32(buf.readUInt32LE(start));
        return this.bytes(buf, start + 4, end);
      case TYPE.date:
        return this.reversed(buf, start, 0x80);
      case TYPE.timestamp:
        return this.reversed(buf, start, 0);
      case TYPE.regex:
        return this.text(buf, start, end - 1);
      default:
        return this.bytes(buf, start, end);
    }
  }

  /** Text ends in 0x00 0x01; a 0x00 within becomes 0x00 0xff. So no text begins another. */
  private text(source: Buffer, start: number, end: number): void {
    this.reserve((end - start) * 2 + 2);
    const target = this.buf;
    let to = this.at;
    for (let i = start; i < end; i++) {
      const byte = source[i] ?? 0;
      target[to++] = byte;
      if (byte === 0) target[to++] = 0xff;
    }
    target[to++] = 0;
    target[to++] = 1;
    this.at = to;
  }

  private reversed(source: Buffer, start: number, flip: number): void {
    this.reserve(8);
    for (let i = 7; i >= 0; i--) this.buf[this.at++] = source[start + i] ?? 0;
    const first = this.at - 8;
    this.buf[first] = (this.buf[first] ?? 0) ^ flip;
  }

  private object(value: Raw): void {
    const cursor = new ElementCursor(value.buf, value.start);
    while (cursor.next()) {
      this.byte(tagOf(cursor.type));
      this.text(value.buf, cursor.nameStart, cursor.nameEnd);
      this.untagged(cursor.value());
    }
    this.byte(0);
  }

  private array(value: Raw): void {
    const cursor = new ElementCursor(value.buf, value.start);
    while (cursor.next()) this.tagged(cursor.value());
    this.byte(0);
  }
}

/** No limit: the whole encoding, as comparisons need it. */
export const WHOLE = Number.MAX_SAFE_INTEGER;

const scratch = new KeyWriter();

/** The whole encoding of one value, ascending, in bytes of its own. */
export function encodeValue(value: Raw): Buffer {
  scratch.reset();
  scratch.value(value, false, WHOLE);
  return scratch.take();
}

/** Encodes into a view that the next call overwrites, for comparisons on the spot. */
export function encodeFleeting(value: Raw): Buffer {
  scratch.reset();
  scratch.value(value, false, WHOLE);
  return scratch.buf.subarray(0, scratch.at);
}
