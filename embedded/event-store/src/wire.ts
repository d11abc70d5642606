import type { Frame } from './frame.js';

/**
 * The few protobuf messages of the hot path, written by hand: the generated classes cost several
 * times the append itself. Field numbers are those of EventStoreDB's streams.proto and shared.proto.
 */
const VARINT = 0;
const BYTES = 2;
/** A writer's first buffer, and the largest that it keeps. */
const FIRST_BYTES = 4 * 1024;
const KEPT_BYTES_MAX = 256 * 1024;

const tag = (field: number, type: number): number => (field << 3) | type;

const varintBytes = (value: number): number => {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
};

/** Writes fields one after the other into one buffer that grows. */
export class Writer {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  #room(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + count));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  varint(value: number): this {
    this.#room(10);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 128;
    this.#bytes[this.#at++] = rest;
    return this;
  }

  /** A number field; zero is written too, because these stand in oneofs. */
  number(field: number, value: number): this {
    return this.varint(tag(field, VARINT)).varint(value);
  }

  /** The head of a field whose bytes follow. */
  head(field: number, length: number): this {
    return this.varint(tag(field, BYTES)).varint(length);
  }

  bytes(field: number, value: Buffer): this {
    this.head(field, value.length).#room(value.length);
    value.copy(this.#bytes, this.#at);
    this.#at += value.length;
    return this;
  }

  text(field: number, value: string): this {
    const length = Buffer.byteLength(value);
    this.head(field, length).#room(length);
    this.#at += this.#bytes.write(value, this.#at);
    return this;
  }

  /** Bytes that are whole fields already. */
  raw(value: Buffer): this {
    this.#room(value.length);
    this.#at += value.copy(this.#bytes, this.#at);
    return this;
  }

  /** What was written, to be used before anything else is; the writer begins again. */
  written(): Buffer {
    const written = this.#bytes.subarray(0, this.#at);
    this.#at = 0;
    // One large event must not hold its memory for good.
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    return written;
  }

  /** What was written, as a buffer of its own; the writer begins again. */
  take(): Buffer {
    return Buffer.from(this.written());
  }
}

const writer = new Writer();
const inner = new Writer();

/** An id's canonical text. */
export const uuidText = (id: Buffer): string => {
  const hex = id.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

const metadataEntry = (key: string, value: string): Buffer =>
  writer.bytes(6, inner.text(1, key).text(2, value).take()).take();

const CONTENT_TYPES = {
  json: metadataEntry('content-type', 'application/json'),
  binary: metadataEntry('content-type', 'application/octet-stream'),
};
const UUID_TEXT_BYTES = 36;

/** RecordedEvent.metadata: the type, the ticks and the content type, and nothing else. */
const metadataOf = (frame: Frame): void => {
  const typeBytes = Buffer.byteLength(frame.type);
  inner.head(6, 6 + 1 + varintBytes(typeBytes) + typeBytes).text(1, 'type');
  inner.text(2, frame.type);
  const created = String(frame.created);
  inner
    .head(6, 9 + 2 + created.length)
    .text(1, 'created')
    .text(2, created);
  inner.raw(frame.json ? CONTENT_TYPES.json : CONTENT_TYPES.binary);
};

/** ReadResp.event: one event, not resolved through a link. */
export const readEvent = (frame: Frame): Buffer => {
  inner.head(1, 2 + UUID_TEXT_BYTES).text(2, uuidText(frame.id));
  const streamBytes = Buffer.byteLength(frame.stream);
  inner.head(2, 1 + varintBytes(streamBytes) + streamBytes).text(3, frame.stream);
  inner.number(3, frame.revision).number(4, frame.position).number(5, frame.position);
  metadataOf(frame);
  inner.bytes(7, frame.metadata).bytes(8, frame.data);
  const event = inner.written();
  const places = 1 + varintBytes(frame.position);
  writer.head(1, 1 + varintBytes(event.length) + event.length + places);
  return writer.bytes(1, event).number(3, frame.position).take();
};

/** ReadResp.confirmation, the first message of a subscription. */
export const confirmation = (id: string): Buffer =>
  writer.bytes(2, inner.text(1, id).take()).take();

/** ReadResp.checkpoint: a filtered subscription has scanned to here. */
export const checkpoint = (position: number): Buffer =>
  writer.bytes(3, inner.number(1, position).number(2, position).take()).take();

/** ReadResp.stream_not_found. */
export const streamNotFound = (stream: string): Buffer => {
  const identifier = inner.text(3, stream).take();
  return writer.bytes(4, inner.bytes(1, identifier).take()).take();
};

/** ReadResp.caught_up. */
export const caughtUp = (): Buffer => writer.head(8, 0).take();

/** BatchAppendResp.success for the append with this correlation id. */
export const batchSuccess = (
  correlation: string,
  stream: Buffer,
  revision: number,
  position: number,
): Buffer => {
  writer.bytes(1, inner.text(2, correlation).take());
  inner.number(1, position).number(2, position);
  const place = inner.take();
  if (revision < 0) inner.head(2, 0);
  else inner.number(1, revision);
  writer.bytes(3, inner.bytes(3, place).take());
  return writer.bytes(4, inner.bytes(3, stream).take()).take();
};
