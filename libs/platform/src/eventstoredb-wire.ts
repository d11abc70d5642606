import type { Expected, LogEvent, NewEvent } from './event-store.js';

/*
 * EventStoreDB's messages of the hot path (protos/streams.proto of its 23.10), to and from bytes
 * without objects in between: the generated classes cost twice the rest of an append.
 */

/** Types of protobuf's fields that occur here. */
const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;
/** Bits of a field's type in its tag. */
const TYPE_BITS = 3;

/** Walks the fields of one message. */
class Fields {
  #at: number;
  #type = VARINT;

  constructor(
    readonly bytes: Buffer,
    from: number,
    readonly end: number,
  ) {
    this.#at = from;
  }

  /** Number of the next field; 0 at the end. Its value must be read or skipped before the next. */
  next(): number {
    if (this.#at >= this.end) return 0;
    const tag = this.number();
    this.#type = tag & 7;
    return tag >>> TYPE_BITS;
  }

  /** A whole number; exact up to 2^53. */
  number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80 || this.#at >= this.end) return value;
      scale *= 128;
    }
  }

  /** The field's bytes, as the fields of a message of their own. */
  inner(): Fields {
    const length = this.number();
    const from = this.#at;
    this.#at += length;
    return new Fields(this.bytes, from, Math.min(this.#at, this.end));
  }

  text(): string {
    const length = this.number();
    const from = this.#at;
    this.#at += length;
    return this.bytes.toString('utf8', from, Math.min(this.#at, this.end));
  }

  /** The bytes of a message that is read elsewhere. */
  slice(): Buffer {
    const inner = this.inner();
    return this.bytes.subarray(inner.#at, inner.end);
  }

  skip(): void {
    if (this.#type === BYTES) this.#at += this.number();
    else if (this.#type === FIXED_64) this.#at += 8;
    else if (this.#type === FIXED_32) this.#at += 4;
    else this.number();
  }
}

const fieldsOf = (bytes: Buffer): Fields => new Fields(bytes, 0, bytes.length);

/** The one field that is wanted of a message; the others are skipped. */
const only = <T>(fields: Fields, wanted: number, read: () => T, otherwise: T): T => {
  let value = otherwise;
  for (let field = fields.next(); field !== 0; field = fields.next())
    if (field === wanted) value = read();
    else fields.skip();
  return value;
};

const textIn = (fields: Fields, field: number): string =>
  only(fields, field, () => fields.text(), '');
/** A number that is 0 is not written (proto3). */
const numberIn = (fields: Fields, field: number): number =>
  only(fields, field, () => fields.number(), 0);

const record = (json: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = json === '' ? {} : JSON.parse(json);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // Another writer's bytes: an event without data, which the codec refuses by its type.
    return {};
  }
};

type Draft = { -readonly [Key in keyof LogEvent]: LogEvent[Key] };

/** Fields of a RecordedEvent, by number. */
const readField = (event: Draft, field: number, fields: Fields): void => {
  switch (field) {
    case 1:
      event.id = textIn(fields.inner(), 2);
      return;
    case 2:
      event.stream = textIn(fields.inner(), 3);
      return;
    case 3:
      event.revision = fields.number();
      return;
    case 5:
      event.position = fields.number();
      return;
    case 6:
      readMetadata(event, fields.inner());
      return;
    case 7:
      event.metadata = record(fields.text());
      return;
    case 8:
      event.data = record(fields.text());
      return;
    default:
      fields.skip();
  }
};

const readMetadata = (event: Draft, entry: Fields): void => {
  let key = '';
  for (let field = entry.next(); field !== 0; field = entry.next()) {
    if (field === 1) key = entry.text();
    else if (field === 2 && key === 'type') event.type = entry.text();
    else entry.skip();
  }
};

const recordedEvent = (fields: Fields): LogEvent => {
  const event: Draft = {
    id: '',
    stream: '',
    revision: 0,
    position: 0,
    type: '',
    data: {},
    metadata: {},
  };
  for (let field = fields.next(); field !== 0; field = fields.next())
    readField(event, field, fields);
  return event;
};

/** One message of a read or a subscription. */
export type ReadAnswer =
  LogEvent | Readonly<{ checkpoint: number }> | 'confirmed' | 'caught-up' | 'no-stream' | 'other';

const checkpointIn = (fields: Fields): ReadAnswer => {
  let [commit, prepare] = [0, 0];
  for (let field = fields.next(); field !== 0; field = fields.next())
    if (field === 1) commit = fields.number();
    else if (field === 2) prepare = fields.number();
    else fields.skip();
  // With another `prepare` it is no place that a subscription can begin after.
  return commit === prepare ? { checkpoint: commit } : 'other';
};

/** Reads a ReadResp. */
export const readAnswer = (bytes: Buffer): ReadAnswer => {
  const fields = fieldsOf(bytes);
  switch (fields.next()) {
    case 1: {
      const resolved = fields.inner();
      return only<ReadAnswer>(resolved, 1, () => recordedEvent(resolved.inner()), 'other');
    }
    case 2:
      return 'confirmed';
    case 3:
      return checkpointIn(fields.inner());
    case 4:
      return 'no-stream';
    case 8:
      return 'caught-up';
    default:
      return 'other';
  }
};

/**
 * What came of one append: where it ended, or the bytes of the google.rpc.Status that says why not.
 */
export type AppendAnswer = Readonly<{
  id: string;
  revision: number;
  position: number;
  refusal: Buffer | undefined;
}>;

/** Reads a BatchAppendResp. */
export const appendAnswer = (bytes: Buffer): AppendAnswer => {
  const fields = fieldsOf(bytes);
  let [id, revision, position] = ['', -1, -1];
  let refusal: Buffer | undefined;
  for (let field = fields.next(); field !== 0; field = fields.next()) {
    if (field === 1) id = textIn(fields.inner(), 2);
    else if (field === 2) refusal = fields.slice();
    else if (field === 3) [revision, position] = successIn(fields.inner());
    else fields.skip();
  }
  return { id, revision, position, refusal };
};

const successIn = (fields: Fields): [number, number] => {
  let [revision, position] = [-1, -1];
  for (let field = fields.next(); field !== 0; field = fields.next())
    if (field === 1) revision = fields.number();
    else if (field === 3) position = numberIn(fields.inner(), 1);
    else fields.skip();
  return [revision, position];
};

const sizeOfNumber = (value: number): number => {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
};

/** Bytes of a field with so many bytes in it; every field here has a tag of one byte. */
const sizeOfField = (length: number): number => 1 + sizeOfNumber(length) + length;

/** Writes fields into a buffer whose size was reckoned before. */
class Writer {
  readonly bytes: Buffer;
  #at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  number(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.#varint(value);
  }

  /** Begins a field of so many bytes, which whoever calls then writes. */
  begin(field: number, length: number): void {
    this.#tag(field, BYTES);
    this.#varint(length);
  }

  text(field: number, text: string, length: number): void {
    this.begin(field, length);
    this.#at += this.bytes.write(text, this.#at, 'utf8');
  }

  #tag(field: number, type: number): void {
    this.bytes[this.#at] = (field << TYPE_BITS) | type;
    this.#at += 1;
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) {
      this.bytes[this.#at] = (rest % 128) | 0x80;
      this.#at += 1;
    }
    this.bytes[this.#at] = rest;
    this.#at += 1;
  }
}

const UUID_CHARS = 36;
const UUID_SIZE = sizeOfField(UUID_CHARS);
/** The entries of the metadata map that the server reads: `type` and `content-type`. */
const TYPE_KEY = 'type';
const CONTENT_KEY = 'content-type';
const JSON_CONTENT = 'application/json';
const CONTENT_ENTRY_SIZE = sizeOfField(CONTENT_KEY.length) + sizeOfField(JSON_CONTENT.length);

/** An event as JSON, with the sizes that its field will have. */
const proposalOf = ({ id, type, data, metadata }: NewEvent) => {
  const [dataJson, metadataJson] = [JSON.stringify(data), JSON.stringify(metadata)];
  const typeSize = Buffer.byteLength(type, 'utf8');
  const dataSize = Buffer.byteLength(dataJson, 'utf8');
  const metadataSize = Buffer.byteLength(metadataJson, 'utf8');
  const typeEntrySize = sizeOfField(TYPE_KEY.length) + sizeOfField(typeSize);
  const size =
    sizeOfField(UUID_SIZE) +
    sizeOfField(typeEntrySize) +
    sizeOfField(CONTENT_ENTRY_SIZE) +
    sizeOfField(metadataSize) +
    sizeOfField(dataSize);
  const write = (writer: Writer): void => {
    writer.begin(1, UUID_SIZE);
    writer.text(2, id, UUID_CHARS);
    writer.begin(2, typeEntrySize);
    writer.text(1, TYPE_KEY, TYPE_KEY.length);
    writer.text(2, type, typeSize);
    writer.begin(2, CONTENT_ENTRY_SIZE);
    writer.text(1, CONTENT_KEY, CONTENT_KEY.length);
    writer.text(2, JSON_CONTENT, JSON_CONTENT.length);
    writer.text(3, metadataJson, metadataSize);
    writer.text(4, dataJson, dataSize);
  };
  return { size, write };
};

const optionsOf = (stream: string, expected: Expected) => {
  const nameSize = Buffer.byteLength(stream, 'utf8');
  const identifierSize = sizeOfField(nameSize);
  const isAt = typeof expected === 'number' && expected >= 0;
  const expectedSize = isAt ? 1 + sizeOfNumber(expected) : sizeOfField(0);
  const size = sizeOfField(identifierSize) + expectedSize;
  const write = (writer: Writer): void => {
    writer.begin(1, identifierSize);
    writer.text(3, stream, nameSize);
    if (isAt) writer.number(2, expected);
    else writer.begin(expected === 'any' ? 4 : 3, 0);
  };
  return { size, write };
};

/** Writes a BatchAppendReq: one append, whole. `id`s must be UUIDs in their text form. */
export const appendRequest = (
  id: string,
  stream: string,
  expected: Expected,
  events: readonly NewEvent[],
): Buffer => {
  const options = optionsOf(stream, expected);
  const proposals = events.map(proposalOf);
  let size = sizeOfField(UUID_SIZE) + sizeOfField(options.size) + 2;
  for (const proposal of proposals) size += sizeOfField(proposal.size);
  const writer = new Writer(size);
  writer.begin(1, UUID_SIZE);
  writer.text(2, id, UUID_CHARS);
  writer.begin(2, options.size);
  options.write(writer);
  for (const proposal of proposals) {
    writer.begin(3, proposal.size);
    proposal.write(writer);
  }
  writer.number(4, 1);
  return writer.bytes;
};
