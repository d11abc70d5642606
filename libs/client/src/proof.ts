import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils';
import canonicalize from 'canonicalize';
import type { Fact } from './protocol.js';

/** The fields of each type of fact that are personal: committed to, and not linked themselves. */
const PERSONAL: Readonly<Partial<Record<Fact['type'], readonly string[]>>> = {
  'message.sent': ['text', 'content'],
  'message.edited': ['text', 'content'],
  'conversation.started': ['name'],
  'conversation.renamed': ['name'],
  'conversation.described': ['description', 'image'],
};

/** SHA-256 (hex) of the RFC 8785 form of a value. */
const hashOf = (value: object): string =>
  bytesToHex(sha256(utf8ToBytes(canonicalize(value) ?? '')));

const isPersonal = (type: Fact['type'], name: string): boolean =>
  PERSONAL[type]?.includes(name) ?? false;

/**
 * What a fact's personal fields commit to, as its proof should have it; nothing where there is no
 * salt to compute it with, because it has none or its author was erased.
 */
export const commitOf = ({ type, data, proof }: Pick<Fact, 'type' | 'data' | 'proof'>) => {
  if (proof?.salt === undefined) return undefined;
  const personal = Object.entries(data).filter(([name]) => isPersonal(type, name));
  return hashOf({ ...Object.fromEntries(personal), salt: proof.salt });
};

/**
 * The link of a fact in its conversation's rolling hash, which the next fact carries as
 * `proof.prev`; nothing for a fact without proof.
 */
export const linkOf = (fact: Fact): string | undefined => {
  const { actor, at, clientId, conversationId, data, id, proof, seq, type } = fact;
  if (!proof) return undefined;
  const { commit, prev, written } = proof;
  const open = Object.entries(data).filter(([name]) => !isPersonal(type, name));
  return hashOf({
    actor,
    at,
    clientId,
    ...(commit === undefined ? {} : { commit }),
    conversationId,
    data: written ?? Object.fromEntries(open),
    id,
    prev,
    seq,
    type,
  });
};

/**
 * Whether a fact says what its commitment says. Of an erased author there is no salt any more, and
 * the personal fields are empty; without a commitment there is nothing personal.
 */
export const isAsCommitted = (fact: Fact): boolean => {
  if (!fact.proof) return true;
  const { commit, salt } = fact.proof;
  if (commit !== undefined && salt !== undefined) return commitOf(fact) === commit;
  return Object.entries(fact.data).every(
    ([name, value]) => !isPersonal(fact.type, name) || value === '',
  );
};
