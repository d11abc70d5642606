import { canonical } from './canonical.js';
import { sha256, type ProvenEvent } from './leaves.js';

/** Fields of an event's data that are not its own: its stamp, and what its writer's codec adds. */
const FRAME = new Set(['v', 'by', 'at', 'origin', 'conversationId', 'prev', 'sealed']);

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;

/** `MessageSent` is `message.sent` to clients, whom the links are made for. */
const dotted = (type: string): string => type.replaceAll(/\B[A-Z]/g, '.$&').toLowerCase();

/** The link of the event before it in its conversation; nothing where events carry none. */
export const prevOf = ({ data }: ProvenEvent): string | undefined => {
  const { prev } = data;
  return typeof prev === 'string' ? prev : undefined;
};

/**
 * The link (hex) of an event in its conversation's rolling hash, which the next event there carries
 * as `prev`. `docs/reference/socket.md` has the rule.
 */
export const linkOf = ({ type, id, revision, data }: ProvenEvent): string => {
  const { by, at, origin, conversationId, prev, sealed } = data;
  const commit = fieldOf(sealed, 'commit');
  const body = {
    actor: by,
    at,
    clientId: fieldOf(origin, 'command') ?? '',
    ...(commit === undefined ? {} : { commit }),
    conversationId,
    data: Object.fromEntries(Object.entries(data).filter(([name]) => !FRAME.has(name))),
    id,
    prev: prev ?? '',
    seq: revision,
    type: dotted(type),
  };
  return sha256(canonical(body)).toString('hex');
};
