import type { AppendReq, BatchAppendReq, StreamIdentifier, UUID } from './protocol.js';
import type { Expected, Proposed } from './store.js';
import { subjectOf, unsupportedKeys } from './stream-state.js';

/** Bytes of data in one append, as in EventStoreDB's default configuration. */
export const APPEND_BYTES_MAX = 1_048_576;

/** Bytes of a stream's name or an event's type: what a key of the index can hold, with room. */
const NAME_BYTES_MAX = 1_024;

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

const named = (name: string, what: string): string => {
  if (name === '') throw new Malformed(`${what} is empty.`);
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    throw new Malformed(`${what} is longer than ${NAME_BYTES_MAX} bytes.`);
  return name;
};

/** An event as a client proposes it. */
export const proposedOf = (
  message: BatchAppendReq.ProposedMessage | AppendReq.ProposedMessage,
): Proposed => {
  const metadata = message.getMetadataMap();
  const type = named(metadata.get('type') ?? '', "The event's type");
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
  const name = Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
  return named(name, "The stream's name");
};

/** Refuses stream metadata that would be stored and not honoured. */
export const refuseUnsupported = (stream: string, { type, data }: Proposed): void => {
  const keys = subjectOf(stream, type) === undefined ? [] : unsupportedKeys(data);
  if (keys.length > 0)
    throw new Malformed(`${keys.join(' and ')} in stream metadata is not supported.`);
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
