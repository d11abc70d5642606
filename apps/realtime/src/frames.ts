/**
 * Something emitted to sockets: encoded once, however many hear of it.
 */
export type Emission = Readonly<{
  /** Place in the log of the event behind it. */
  position: number;
  /** The Socket.IO packet as text. */
  packet: string;
  /** The same as a finished WebSocket frame, for the engine to write as it is. */
  options: Readonly<{ compress: false; wsPreEncodedFrame: readonly [Buffer] }>;
  /** Bytes of the frame; 0 for a fact that went out in a page and is not counted again. */
  bytes: number;
  conversationId?: string | undefined;
  /** Seq of a message; absent where the fact is none, because only messages are receipted. */
  seq?: number | undefined;
  actor?: string | undefined;
}>;

/** First byte of a final text frame (RFC 6455, section 5.2). */
const FINAL_TEXT = 0x81;
/** Longest payload whose length stands in the second byte, and in the two bytes after it. */
const SHORT_BYTES_MAX = 125;
const MEDIUM_BYTES_MAX = 65_535;

const headerOf = (length: number): Buffer => {
  if (length <= SHORT_BYTES_MAX) return Buffer.from([FINAL_TEXT, length]);
  if (length <= MEDIUM_BYTES_MAX) return Buffer.from([FINAL_TEXT, 126, length >> 8, length & 0xff]);
  const header = Buffer.alloc(10);
  header[0] = FINAL_TEXT;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
};

/** An event with one argument as an emission: `4` is Engine.IO's message, `2` Socket.IO's event. */
export const emissionOf = (
  name: string,
  argument: object,
  about: Pick<Emission, 'position' | 'conversationId' | 'seq' | 'actor'>,
): Emission => {
  const packet = `2["${name}",${JSON.stringify(argument)}]`;
  const payload = Buffer.from(`4${packet}`);
  const frame = Buffer.concat([headerOf(payload.length), payload]);
  return {
    ...about,
    packet,
    options: { compress: false, wsPreEncodedFrame: [frame] },
    bytes: frame.length,
  };
};
