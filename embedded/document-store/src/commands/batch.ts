import { BsonWriter } from '../bson/write.js';
import { TYPE } from '../bson/raw.js';
import type { Deadline } from './context.js';
import type { OpenCursor, Source } from './cursors.js';

/** Bytes of documents in one portion (MongoDB: FindCommon::kMaxBytesToReturnToClientAtOnce). */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;
/** The event loop is given back after this long, ms, so that other clients are answered. */
const TURN_MS = 10;
/** The clock is read at one in this many steps. */
const STEPS = 64;

/** One portion of a cursor. */
export interface Batch {
  readonly documents: Buffer[];
  readonly isDone: boolean;
}

/** Lets others have their turn when one has taken long enough. */
class Turns {
  private since = Date.now();
  private steps = 0;

  isOver(): boolean {
    return ++this.steps % STEPS === 0 && Date.now() - this.since > TURN_MS;
  }

  async next(): Promise<void> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    this.since = Date.now();
  }
}

/** Gives all documents of a source to `each`, in turns with other work. */
export async function drain(
  source: Source,
  deadline: Deadline,
  each: (document: Buffer) => void,
): Promise<void> {
  const turns = new Turns();
  for (let step = source.step(); step !== undefined; step = source.step()) {
    deadline.check();
    if (turns.isOver()) await turns.next();
    if (step !== null) each(step);
  }
}

/** Fills one portion of at most `size` documents. */
export async function fillBatch(
  cursor: OpenCursor,
  size: number,
  deadline: Deadline,
): Promise<Batch> {
  const documents: Buffer[] = [];
  let bytes = 0;
  const turns = new Turns();
  while (documents.length < size) {
    if (turns.isOver()) await turns.next();
    deadline.check();
    const document = cursor.held ?? cursor.source.step();
    cursor.held = undefined;
    if (document === undefined) return { documents, isDone: true };
    if (document === null) continue;
    if (documents.length > 0 && bytes + document.length > BATCH_BYTES_MAX) {
      cursor.held = document;
      break;
    }
    documents.push(document);
    bytes += document.length;
  }
  return { documents, isDone: false };
}

const INDEX_HEADS: Buffer[] = [];

function headOf(at: number): Buffer {
  const known = INDEX_HEADS[at];
  if (known !== undefined) return known;
  const head = Buffer.from(`\u0003${at}\0`, 'latin1');
  if (at < INDEX_HEADS_MAX) INDEX_HEADS[at] = head;
  return head;
}

/** Heads of array elements kept ready. */
const INDEX_HEADS_MAX = 2_000;

const writer = new BsonWriter();

/** `{cursor: {id, ns, firstBatch}, ok: 1}` around documents that are not decoded. */
export function cursorReply(
  field: 'firstBatch' | 'nextBatch',
  id: bigint,
  namespace: string,
  documents: readonly Buffer[],
): Buffer {
  writer.at = 0;
  const start = writer.open();
  writer.head(TYPE.object, 'cursor');
  const cursor = writer.open();
  writer.head(TYPE.array, field);
  const batch = writer.open();
  for (let at = 0; at < documents.length; at++) {
    const document = documents[at];
    if (document === undefined) continue;
    const head = headOf(at);
    writer.raw(head, 0, head.length);
    writer.raw(document, 0, document.length);
  }
  writer.close(batch);
  writer.head(TYPE.int64, 'id');
  writer.reserve(8);
  writer.at = writer.buf.writeBigInt64LE(id, writer.at);
  writer.head(TYPE.string, 'ns');
  const length = Buffer.byteLength(namespace);
  writer.reserve(length + 5);
  writer.at = writer.buf.writeInt32LE(length + 1, writer.at);
  writer.at += writer.buf.write(namespace, writer.at, 'utf8');
  writer.buf[writer.at++] = 0;
  writer.close(cursor);
  writer.head(TYPE.double, 'ok');
  writer.reserve(8);
  writer.at = writer.buf.writeDoubleLE(1, writer.at);
  writer.close(start);
  const reply = writer.take();
  if (writer.buf.length > KEPT_BYTES_MAX) writer.buf = Buffer.allocUnsafeSlow(KEPT_BYTES_MAX);
  return reply;
}

/** A reply's buffer is kept for the next one up to this size. */
const KEPT_BYTES_MAX = 1024 * 1024;
