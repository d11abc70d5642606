import type { AppendReq, BatchAppendReq, StreamIdentifier, UUID } from './protocol.js';
import type { Expected, Proposed } from './store.js';

/** Bytes of data in one append, as in EventStoreDB's default configuration. */
export const APPEND_BYTES_MAX = 1_048_576;

/** What a client asked for cannot be; the message says why. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** The 16 bytes of an id. */
export const uuidBytes = (id: UUID | undefined): Buffer => {
  const text = id?.getString() ?? '';
  const hex = text.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/iu.test(hex)) throw new Malformed(`${JSON.stringify(text)} is not a UUID.`);
  return Buffer.from(hex, 'hex');
};

/** An event as a client proposes it. */
export const proposedOf = (
  message: BatchAppendReq.ProposedMessage | AppendReq.ProposedMessage,
): Proposed => {
  const metadata = message.getMetadataMap();
  const type = metadata.get('type') ?? '';
  if (type === '') throw new Malformed('An event needs a type.');
  if (type === '$>') throw new Malformed('Links ($>) are not supported.');
  return {
    id: uuidBytes(message.getId()),
    type,
    json: metadata.get('content-type') === 'application/json',
    data: Buffer.from(message.getData_asU8()),
    metadata: Buffer.from(message.getCustomMetadata_asU8()),
  };
};

/** The name of a stream. */
export const streamNameOf = (identifier: StreamIdentifier | undefined): string => {
  const stream = Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
  if (stream === '') throw new Malformed('A stream needs a name.');
  return stream;
};

/** Bytes of data that count against the limit of one append. */
export const sizeOf = (events: readonly Proposed[]): number =>
  events.reduce((sum, { data }) => sum + data.length, 0);

/** What the writer expects, from the fields of any of the requests. */
export const expectedBy = (given: {
  revision: string | undefined;
  none: boolean;
  exists: boolean;
}): Expected => {
  if (given.revision !== undefined) return Number(given.revision);
  if (given.none) return -1;
  return given.exists ? 'stream_exists' : 'any';
};
