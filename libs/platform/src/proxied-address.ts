import type { IncomingMessage } from 'node:http';

const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/**
 * The address a request came from. A trusted proxy on this machine appends who it speaks for; what
 * came before is hearsay.
 */
export const addressOf = ({ socket, headers }: IncomingMessage): string => {
  const seen = socket.remoteAddress ?? '';
  const forwarded = LOOPBACK.has(seen) ? String(headers['x-forwarded-for'] ?? '') : '';
  return forwarded.split(',').at(-1)?.trim() || seen;
};
