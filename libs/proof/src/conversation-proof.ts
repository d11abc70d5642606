import type { KeyObject } from 'node:crypto';
import { canonical } from './canonical.js';
import { isHead, isSignedBy, writtenKey, type SignedHead } from './heads.js';
import { HASH_BYTES, leafOf, sha256, type ProvenEvent } from './leaves.js';
import { linkOf, prevOf } from './links.js';
import { isIncluded } from './merkle.js';

/** The name of the format. */
export const PROOF_FORMAT = 'scripta-conversation-proof/1';

/** An event with the path (hex) from its leaf to the head's root. */
export type ProvenEntry = Readonly<{
  event: ProvenEvent;
  index: number;
  path: readonly string[];
  /** What was sealed, with its salt; left out where the author was erased or it was not opened. */
  opened?: Readonly<Record<string, string>>;
}>;

/** A conversation, or a part of it, that anybody can check who has the public key. */
export type ConversationProof = Readonly<{
  format: typeof PROOF_FORMAT;
  conversationId: string;
  head: SignedHead;
  /** The key that the head was signed with, base64; it is believed only if one knows it already. */
  publicKey: string;
  entries: readonly ProvenEntry[];
}>;

/** What a check of a proof found. */
export type ProofChecked = Readonly<{
  entries: number;
  /** Whose content is shown, and whose can only be recognised by its commitment. */
  opened: number;
  sealed: number;
  /** Stretches of `seq` that the file does not have. */
  gaps: readonly (readonly [from: number, to: number])[];
  head: SignedHead | undefined;
  problems: readonly string[];
}>;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A record of these fields and no others: what nobody reads could be changed unseen. */
const isOf = (
  value: unknown,
  fields: readonly string[],
): value is Readonly<Record<string, unknown>> =>
  isRecord(value) && Object.keys(value).every((name) => fields.includes(name));

const isStep = (step: unknown): boolean =>
  typeof step === 'string' && step.length === 2 * HASH_BYTES && /^[0-9a-f]*$/u.test(step);

const isEvent = (value: unknown): boolean => {
  if (!isOf(value, ['type', 'id', 'stream', 'revision', 'data'])) return false;
  const { revision, data, ...texts } = value;
  const isNamed = ['type', 'id', 'stream'].every((name) => typeof texts[name] === 'string');
  return isNamed && Number.isSafeInteger(revision) && isRecord(data);
};

const isOpened = (value: unknown): boolean =>
  value === undefined ||
  (isRecord(value) && Object.values(value).every((text) => typeof text === 'string'));

const isEntry = (value: unknown): value is ProvenEntry => {
  if (!isOf(value, ['event', 'index', 'path', 'opened'])) return false;
  const { event, index, path, opened } = value;
  return (
    isEvent(event) &&
    isOpened(opened) &&
    Number.isSafeInteger(index) &&
    Array.isArray(path) &&
    path.every(isStep)
  );
};

/** Whether a value has the form of a proof. */
export const isProof = (value: unknown): value is ConversationProof => {
  const fields = ['format', 'conversationId', 'publicKey', 'head', 'entries'];
  if (!isOf(value, fields)) return false;
  const { format, conversationId, publicKey, head, entries } = value;
  return (
    format === PROOF_FORMAT &&
    typeof conversationId === 'string' &&
    typeof publicKey === 'string' &&
    isHead(head) &&
    isOf(head, ['size', 'root', 'position', 'at', 'key', 'signature']) &&
    Array.isArray(entries) &&
    entries.every((entry) => isEntry(entry))
  );
};

/** A proof as a file: one line, RFC 8785. */
export const proofLine = (proof: ConversationProof): string => `${canonical(proof)}\n`;

const commitIn = ({ data }: ProvenEvent): unknown => {
  const { sealed } = data;
  return typeof sealed === 'object' && sealed !== null ? Reflect.get(sealed, 'commit') : undefined;
};

const wrongWith = (
  { event, index, path, opened }: ProvenEntry,
  { conversationId, head }: ConversationProof,
): string | undefined => {
  if (event.stream !== `conversation-${conversationId}`) return 'It is of another conversation.';
  const steps = path.map((step) => Buffer.from(step, 'hex'));
  const root = Buffer.from(head.root, 'hex');
  if (!isIncluded(leafOf(event), [index, head.size], steps, root))
    return 'It is not in the log whose head was signed.';
  const isAsCommitted =
    opened === undefined || sha256(canonical(opened)).toString('hex') === commitIn(event);
  return isAsCommitted ? undefined : 'Its content is not what was committed to.';
};

/** What is wrong with the order of two entries, of which the second follows the first. */
const wrongAfter = (before: ProvenEntry | undefined, entry: ProvenEntry): string | undefined => {
  if (!before) return undefined;
  const step = entry.event.revision - before.event.revision;
  if (step < 1 || entry.index <= before.index) return 'It stands before the one above it.';
  const prev = prevOf(entry.event);
  const isLinked = step > 1 || prev === undefined || prev === linkOf(before.event);
  return isLinked ? undefined : 'It does not follow the one above it.';
};

const gapsOf = (entries: readonly ProvenEntry[]): [from: number, to: number][] => {
  const gaps: [from: number, to: number][] = [];
  let next = 0;
  for (const { event } of entries) {
    if (event.revision > next) gaps.push([next, event.revision - 1]);
    next = event.revision + 1;
  }
  return gaps;
};

const wrongWithHead = (
  { head, publicKey }: ConversationProof,
  key: KeyObject,
): readonly string[] => {
  const problems: string[] = [];
  if (!isSignedBy(head, key)) problems.push('The head is not signed by the key.');
  if (publicKey !== writtenKey(key))
    problems.push('The key in the file is not the key that was given.');
  return problems;
};

/** Checks a proof with the public key; needs nothing else. */
export const checkProof = (proof: ConversationProof, key: KeyObject): ProofChecked => {
  const { entries, head } = proof;
  const problems = [...wrongWithHead(proof, key)];
  for (const [at, entry] of entries.entries()) {
    const wrong = wrongWith(entry, proof) ?? wrongAfter(entries[at - 1], entry);
    if (wrong !== undefined) problems.push(`seq ${entry.event.revision}: ${wrong}`);
  }
  const opened = entries.filter((entry) => entry.opened !== undefined).length;
  const sealed = entries.filter(({ event }) => commitIn(event) !== undefined).length - opened;
  return { entries: entries.length, opened, sealed, gaps: gapsOf(entries), head, problems };
};
