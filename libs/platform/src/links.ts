import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { FACT_TYPES } from '#domain';
import type { NewEvent } from './event-store.js';
import { isRecord, type Json } from './event-shapes.js';

const isHeard = (type: string): type is keyof typeof FACT_TYPES => type in FACT_TYPES;

/** The open data of a fact as it was written: without the stamp and without what the codec added. */
export const openDataOf = (written: Json): Json => {
  const {
    v: _v,
    by: _by,
    at: _at,
    origin: _origin,
    conversationId: _id,
    prev: _prev,
    sealed: _sealed,
    ...open
  } = written;
  return open;
};

/**
 * The link of an event in its conversation's rolling hash: SHA-256 (hex) of the RFC 8785 form of
 * what every member sees of it, its commitment, and the link before it. It stays the same when the
 * personal leaves are erased. `docs/reference/socket.md` says how a client checks it.
 */
export const linkOf = ({ id, type, data }: NewEvent, revision: number): string => {
  const { by, at, origin, conversationId, prev, sealed } = data;
  const body = {
    actor: by,
    at,
    clientId: isRecord(origin) ? origin['command'] : '',
    ...(isRecord(sealed) ? { commit: sealed['commit'] } : {}),
    conversationId,
    data: openDataOf(data),
    id,
    prev: prev ?? '',
    seq: revision,
    type: isHeard(type) ? FACT_TYPES[type] : type,
  };
  return hash('sha256', canonicalize(body) ?? '', 'hex');
};

/** Events in the order of their stream, the first at `revision`, each with the link before it. */
export const linked = (
  events: readonly NewEvent[],
  prev: string,
  revision: number,
): Readonly<{ events: readonly NewEvent[]; head: string }> => {
  let head = prev;
  const chain = events.map((event, index) => {
    const next = { ...event, data: { ...event.data, prev: head } };
    head = linkOf(next, revision + index);
    return next;
  });
  return { events: chain, head };
};
