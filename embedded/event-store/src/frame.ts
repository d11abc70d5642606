import { crc32c } from './crc32c.js';

/** An event as it stands on disk. `data` and `metadata` are the client's bytes. */
export type Frame = Readonly<{
  /** Byte offset in the whole log; also the event's position. */
  position: number;
  /** Bytes from this frame to the next. */
  size: number;
  /** Whether the append that wrote it ends here: an append is visible whole or not at all. */
  last: boolean;
  json: boolean;
  /** Ticks of 100 ns since the Unix epoch. */
  created: bigint;
  revision: number;
  id: Buffer;
  stream: string;
  type: string;
  data: Buffer;
  metadata: Buffer;
}>;

/** An event before it has a place. */
export type NewFrame = Omit<Frame, 'position' | 'size'>;

/** Length and checksum before the body, and the length again after it, for reading backwards. */
const HEAD_BYTES = 8;
const TAIL_BYTES = 4;
/** Flags, created, revision, id, and the four lengths. */
const FIXED_BYTES = 1 + 8 + 8 + 16 + 2 + 2 + 4 + 4;
const LAST = 1;
const JSON_FLAG = 2;
/** Larger than the largest append the protocol allows (1 MiB of data); more is damage. */
export const FRAME_BYTES_MAX = 32 * 1024 * 1024;
/** The smallest frame there can be. */
export const FRAME_BYTES_MIN = HEAD_BYTES + FIXED_BYTES + TAIL_BYTES;

/** The bytes of an event on disk. */
export const encodeFrame = (frame: NewFrame): Buffer => {
  const stream = Buffer.from(frame.stream);
  const type = Buffer.from(frame.type);
  const body =
    FIXED_BYTES + stream.length + type.length + frame.data.length + frame.metadata.length;
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + body + TAIL_BYTES);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes[8] = (frame.last ? LAST : 0) | (frame.json ? JSON_FLAG : 0);
  bytes.writeBigInt64LE(frame.created, 9);
  bytes.writeDoubleLE(frame.revision, 17);
  frame.id.copy(bytes, 25);
  bytes.writeUInt16LE(stream.length, 41);
  bytes.writeUInt16LE(type.length, 43);
  bytes.writeUInt32LE(frame.data.length, 45);
  bytes.writeUInt32LE(frame.metadata.length, 49);
  let at = HEAD_BYTES + FIXED_BYTES;
  for (const part of [stream, type, frame.data, frame.metadata]) {
    part.copy(bytes, at);
    at += part.length;
  }
  bytes.writeUInt32LE(bytes.length, at);
  bytes.writeUInt32LE(crc32c(bytes, HEAD_BYTES), 4);
  return bytes;
};

/** The size of the frame at an offset, or 0 where no whole frame can stand. */
export const frameSize = (bytes: Buffer, at: number): number => {
  if (at + HEAD_BYTES > bytes.length) return 0;
  const size = bytes.readUInt32LE(at);
  return size < FRAME_BYTES_MIN || size > FRAME_BYTES_MAX || at + size > bytes.length ? 0 : size;
};

/** Whether the bytes of a frame are those that were written. */
export const frameIsSound = (bytes: Buffer, at: number, size: number): boolean =>
  bytes.readUInt32LE(at + size - TAIL_BYTES) === size &&
  bytes.readUInt32LE(at + 4) === crc32c(bytes, at + HEAD_BYTES, at + size);

/** Reads the frame at an offset of a chunk that begins at `base` in the log. Copies nothing. */
export const decodeFrame = (bytes: Buffer, at: number, base: number): Frame => {
  const flags = bytes[at + 8] ?? 0;
  const streamEnd = at + HEAD_BYTES + FIXED_BYTES + bytes.readUInt16LE(at + 41);
  const typeEnd = streamEnd + bytes.readUInt16LE(at + 43);
  const dataEnd = typeEnd + bytes.readUInt32LE(at + 45);
  return {
    position: base + at,
    size: bytes.readUInt32LE(at),
    last: (flags & LAST) !== 0,
    json: (flags & JSON_FLAG) !== 0,
    created: bytes.readBigInt64LE(at + 9),
    revision: bytes.readDoubleLE(at + 17),
    id: bytes.subarray(at + 25, at + 41),
    stream: bytes.toString('utf8', at + HEAD_BYTES + FIXED_BYTES, streamEnd),
    type: bytes.toString('utf8', streamEnd, typeEnd),
    data: bytes.subarray(typeEnd, dataEnd),
    metadata: bytes.subarray(dataEnd, dataEnd + bytes.readUInt32LE(at + 49)),
  };
};
