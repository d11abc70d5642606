import { ElementCursor, Raw, TYPE } from './raw.js';

/** Room for a usual document; it doubles as needed. */
const START_BYTES = 1024;

/** Writes BSON into a buffer that grows; `take` copies the result out so that it can be reused. */
export class BsonWriter {
  buf = Buffer.allocUnsafeSlow(START_BYTES);
  at = 0;

  reserve(bytes: number): void {
    if (this.at + bytes <= this.buf.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buf.length * 2, this.at + bytes));
    this.buf.copy(grown, 0, 0, this.at);
    this.buf = grown;
  }

  /** Opens a document or array; give the answer to `close`. */
  open(): number {
    this.reserve(4);
    const start = this.at;
    this.at += 4;
    return start;
  }

  close(start: number): void {
    this.reserve(1);
    this.buf[this.at++] = 0;
    this.buf.writeInt32LE(this.at - start, start);
  }

  /** Writes the type byte and the name of an element; its value follows. */
  head(type: number, name: string): void {
    this.reserve(name.length * 3 + 2);
    this.buf[this.at++] = type;
    this.at += this.buf.write(name, this.at, 'utf8');
    this.buf[this.at++] = 0;
  }

  raw(bytes: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    this.at += bytes.copy(this.buf, this.at, start, end);
  }

  element(name: string, value: Raw): void {
    this.head(value.type, name);
    this.raw(value.buf, value.start, value.end);
  }

  take(): Buffer {
    const bytes = Buffer.from(this.buf.subarray(0, this.at));
    this.at = 0;
    return bytes;
  }
}

const shared = new BsonWriter();

/** A document of the given elements. */
export function buildDocument(elements: readonly (readonly [string, Raw])[]): Buffer {
  const writer = shared;
  writer.at = 0;
  const start = writer.open();
  for (const [name, value] of elements) writer.element(name, value);
  writer.close(start);
  return writer.take();
}

/** An array value of the given elements. */
export function buildArray(values: readonly Raw[]): Raw {
  const bytes = buildDocument(values.map((value, at) => [String(at), value] as const));
  return new Raw(TYPE.array, bytes, 0, bytes.length);
}

const ID = Buffer.from('_id');

/** The document with `_id` first: moved there, or put there when it has none. */
export function withIdFirst(document: Raw, id: Raw): Buffer {
  const cursor = new ElementCursor(document.buf, document.start);
  if (cursor.next() && cursor.nameIs(ID)) return Buffer.from(document.bytes());
  const head = 5 + id.end - id.start;
  const out = Buffer.allocUnsafe(document.end - document.start + head);
  out[4] = id.type;
  out.write('_id\0', 5, 'latin1');
  id.buf.copy(out, 9, id.start, id.end);
  let at = head + 4;
  cursor.reset(document.buf, document.start);
  while (cursor.next()) {
    if (cursor.nameIs(ID)) continue;
    at += document.buf.copy(out, at, cursor.nameStart - 1, cursor.valueEnd);
  }
  out[at++] = 0;
  out.writeInt32LE(at, 0);
  return out.subarray(0, at);
}
