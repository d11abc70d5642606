import { createHash } from 'node:crypto';

/** Scripta's own namespace for UUIDv5 (RFC 9562, section 5.5); a random UUID, fixed for ever. */
const NAMESPACE = Buffer.from('6e2f0a3c9d5b4c1e8f7a2b4d6c8e0f13', 'hex');

/** UUIDv5 of a name in Scripta's namespace: the same name gives the same id on every machine. */
export const uuidOf = (name: string): string => {
  const hash = createHash('sha1').update(NAMESPACE).update(name).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
};

/** The id of a direct conversation: both of its people find the same one. */
export const directConversationOf = (one: string, other: string): string =>
  uuidOf(`direct:${[one, other].toSorted().join(':')}`);

/** The id of a command's first event: the same for every repeat of the command. */
export const eventIdOf = (stream: string, device: string, commandId: string): string =>
  uuidOf(`event:${stream}:${device}:${commandId}`);
