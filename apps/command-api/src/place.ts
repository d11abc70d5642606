import type { Request } from 'express';

/** Characters of a place that are kept. */
const PLACE_CHARS_MAX = 64;
const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/** Where a caller is, coarsely, as far as a proxy on this machine says so in the named header. */
export const placeOf = ({ headers, socket }: Request, header: string): string | undefined => {
  if (header === '' || !LOOPBACK.has(socket.remoteAddress ?? '')) return undefined;
  const said = headers[header.toLowerCase()];
  return typeof said === 'string' && said !== '' ? said.slice(0, PLACE_CHARS_MAX) : undefined;
};
