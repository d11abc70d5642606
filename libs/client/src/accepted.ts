import type { Accepted, Sent, Started } from './protocol.js';

/** What became of a message. */
export const sentOf = ({ data, position, duplicate }: Accepted): Sent =>
  // The server answers `message.send` so.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  ({ ...data, position, duplicate }) as Sent;

/** What became of a conversation. */
export const startedOf = ({ data, position }: Accepted): Started => ({
  conversationId: String(data['conversationId']),
  seq: Number(data['seq']),
  position,
});
