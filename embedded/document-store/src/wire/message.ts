import { type Raw, documentOf, fieldsOf, validateDocument } from '../bson/raw.js';
import { crc32c } from './crc32c.js';

/** Opcodes of MongoDB's wire protocol that are spoken here. */
const OP = { reply: 1, query: 2004, message: 2013 } as const;
const FLAG = { checksum: 1, moreToCome: 2 } as const;
/** Flags below this one must be understood, or the message refused. */
const REQUIRED_FLAGS = 0xffff;
const HEADER_BYTES = 16;
const CHECKSUM_BYTES = 4;
/** OP_REPLY: header, flags, cursor id, start, count. */
const REPLY_BYTES = 36;
const AWAIT_CAPABLE = 8;

/** Largest message either side may send, bytes (MongoDB's maxMessageSizeBytes). */
export const MESSAGE_BYTES_MAX = 48_000_000;

/** One request: its command document and the documents sent beside it by field name. */
export interface Request {
  readonly id: number;
  readonly body: Raw;
  readonly sequences: ReadonlyMap<string, readonly Raw[]>;
  /** False when the client waits for no answer. */
  readonly expectsReply: boolean;
  /** Came as the legacy OP_QUERY and is answered by OP_REPLY. */
  readonly isLegacy: boolean;
}

/** Bytes that are no message: the connection is closed. */
export class MalformedMessage extends Error {}

function documentAt(message: Buffer, at: number, limit: number): Raw {
  if (at + 5 > limit) throw new MalformedMessage('a document beyond the message');
  const length = message.readInt32LE(at);
  if (length < 5 || at + length > limit) throw new MalformedMessage('a document of a wrong length');
  const document = message.subarray(at, at + length);
  validateDocument(document, 0);
  return documentOf(document);
}

function sequenceAt(message: Buffer, start: number, end: number): [string, Raw[]] {
  const nameEnd = message.indexOf(0, start);
  if (nameEnd < 0 || nameEnd >= end) throw new MalformedMessage('a sequence without a name');
  const documents: Raw[] = [];
  let at = nameEnd + 1;
  while (at < end) {
    const document = documentAt(message, at, end);
    documents.push(document);
    at += document.end;
  }
  return [message.toString('utf8', start, nameEnd), documents];
}

/** Where the sections of a message end: before its checksum, if it has one, which must be right. */
function sectionsEnd(message: Buffer, flags: number): number {
  if ((flags & REQUIRED_FLAGS & ~(FLAG.checksum | FLAG.moreToCome)) !== 0) {
    throw new MalformedMessage(`unknown flags ${flags}`);
  }
  if ((flags & FLAG.checksum) === 0) return message.length;
  const end = message.length - CHECKSUM_BYTES;
  if (end < HEADER_BYTES || crc32c(message.subarray(0, end)) !== message.readUInt32LE(end)) {
    throw new MalformedMessage('a wrong checksum');
  }
  return end;
}

interface Sections {
  body?: Raw;
  readonly sequences: Map<string, Raw[]>;
}

/** Reads one section; answers where the next begins. */
function readSection(message: Buffer, start: number, end: number, into: Sections): number {
  const [kind, at] = [message[start], start + 1];
  if (kind === 0) {
    if (into.body !== undefined) throw new MalformedMessage('two bodies');
    into.body = documentAt(message, at, end);
    return at + into.body.end;
  }
  if (kind !== 1 || at + 4 > end) throw new MalformedMessage(`unknown section ${kind}`);
  const length = message.readInt32LE(at);
  if (length < 5 || at + length > end) throw new MalformedMessage('a section of a wrong length');
  const [name, documents] = sequenceAt(message, at + 4, at + length);
  into.sequences.set(name, documents);
  return at + length;
}

function parseMessage(message: Buffer): Request {
  const flags = message.readUInt32LE(HEADER_BYTES);
  const end = sectionsEnd(message, flags);
  const sections: Sections = { sequences: new Map() };
  for (let at = HEADER_BYTES + 4; at < end;) at = readSection(message, at, end, sections);
  const { body, sequences } = sections;
  if (body === undefined) throw new MalformedMessage('no body');
  const expectsReply = (flags & FLAG.moreToCome) === 0;
  return { id: message.readInt32LE(4), body, sequences, expectsReply, isLegacy: false };
}

function parseQuery(message: Buffer): Request {
  const nameEnd = message.indexOf(0, HEADER_BYTES + 4);
  if (nameEnd < 0) throw new MalformedMessage('a query without a collection');
  let body = documentAt(message, nameEnd + 9, message.length);
  const wrapped = fieldsOf(body).get('$query');
  if (wrapped?.isContainer() === true) body = documentOf(wrapped.bytes());
  const sequences = new Map<string, Raw[]>();
  return { id: message.readInt32LE(4), body, sequences, expectsReply: true, isLegacy: true };
}

/** Reads one whole message. */
export function parseRequest(message: Buffer): Request {
  if (message.length < HEADER_BYTES + 5) throw new MalformedMessage('a message cut short');
  const opcode = message.readInt32LE(12);
  if (opcode === OP.message) return parseMessage(message);
  if (opcode === OP.query) return parseQuery(message);
  throw new MalformedMessage(`unknown opcode ${opcode}`);
}

let nextId = 1;

/** What goes before a reply document on the wire. */
export function replyHead(request: Request, document: Buffer): Buffer {
  const headBytes = request.isLegacy ? REPLY_BYTES : HEADER_BYTES + 5;
  const message = Buffer.allocUnsafe(headBytes);
  message.writeInt32LE(headBytes + document.length, 0);
  message.writeInt32LE(nextId, 4);
  nextId = (nextId + 1) & 0x7fffffff;
  message.writeInt32LE(request.id, 8);
  message.fill(0, 12, headBytes);
  if (request.isLegacy) {
    message.writeInt32LE(OP.reply, 12);
    message.writeInt32LE(AWAIT_CAPABLE, 16);
    message.writeInt32LE(1, 32);
  } else {
    message.writeInt32LE(OP.message, 12);
  }
  return message;
}
