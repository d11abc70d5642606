import { hash } from 'node:crypto';
import { canonical } from './canonical.js';

/** What of an event is proven: its frame and its data as it stands in the log, seals included. */
export type ProvenEvent = Readonly<{
  type: string;
  id: string;
  stream: string;
  revision: number;
  data: Readonly<Record<string, unknown>>;
}>;

/** RFC 9162, 2.1.1: what a leaf's and a node's bytes begin with, so that neither passes as the other. */
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);
/** Bytes of SHA-256. */
export const HASH_BYTES = 32;

/** SHA-256 of bytes. */
export const sha256 = (bytes: Buffer | string): Buffer => hash('sha256', bytes, 'buffer');

/** The leaf of an entry in the manner of RFC 9162, 2.1.1: SHA-256 of a zero byte and the entry. */
export const leafOfBytes = (entry: Buffer): Buffer => sha256(Buffer.concat([LEAF, entry]));

/** The text whose UTF-8 is the entry of an event: RFC 8785 of {data, id, revision, stream, type}. */
export const entryOf = ({ type, id, stream, revision, data }: ProvenEvent): string =>
  canonical({ data, id, revision, stream, type });

/** The leaf of an entry that `entryOf` made. */
export const leafOfEntry = (entry: string): Buffer => sha256(`\0${entry}`);

/** The leaf of an event. */
export const leafOf = (event: ProvenEvent): Buffer => leafOfEntry(entryOf(event));

/** The node above two (RFC 9162, 2.1.1). */
export const nodeOf = (left: Buffer, right: Buffer): Buffer =>
  sha256(Buffer.concat([NODE, left, right]));

/** Before the first event of a stream. */
export const NO_CHAIN = Buffer.alloc(HASH_BYTES);

/** The chain of a stream after one more event: SHA-256 of the chain before it and its leaf. */
export const chained = (before: Buffer, leaf: Buffer): Buffer =>
  sha256(Buffer.concat([before, leaf]));

/** Streams that are no facts: the server's own, and states that only save time and are replaced. */
const APART = ['$', 'snapshot-'];

/** Whether the events of a stream are leaves. */
export const isProven = (stream: string): boolean =>
  !APART.some((prefix) => stream.startsWith(prefix));
