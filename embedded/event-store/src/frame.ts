import { crc32c } from './crc32c.js';

/** An event as it stands on disk. `data` and `metadata` are the client's bytes. */
export type Frame = Readonly<{
  /** Byte offset in the whole log; also the event's position. */
  position: number;
  /** Bytes from this frame to the next. */
  size: number;
  /** Where the group begins that was written and synced together with it. */
  group: number;
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
export type NewFrame = Omit<Frame, 'position' | 'size' | 'group'>;

/** Length and checksum before the body, and the length again after it, for reading backwards. */
const HEAD_BYTES = 8;
const TAIL_BYTES = 4;
/** Flags, created, revision, id, the four lengths, position and the way back to its group. */
const FIXED_BYTES = 1 + 8 + 8 + 16 + 2 + 2 + 4 + 4 + 8 + 4;
const POSITION_AT = 53;
const GROUP_AT = 61;
const TEXT_AT = HEAD_BYTES + FIXED_BYTES;
const LAST = 1;
const JSON_FLAG = 2;
/** More than the largest message that is received (17 MiB) can make; a larger one is damage. */
export const FRAME_BYTES_MAX = 32 * 1024 * 1024;
/** The smallest frame there can be. */
export const FRAME_BYTES_MIN = HEAD_BYTES + FIXED_BYTES + TAIL_BYTES;

/** The bytes of an event, but for its place and checksum: `sealFrame` adds them. */
export const encodeFrame = (frame: NewFrame): Buffer => {
  const streamBytes = Buffer.byteLength(frame.stream);
  const typeBytes = Buffer.byteLength(frame.type);
  const { data, metadata } = frame;
  const size = TEXT_AT + streamBytes + typeBytes + data.length + metadata.length + TAIL_BYTES;
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUInt32LE(size, 0);
  bytes[8] = (frame.last ? LAST : 0) | (frame.json ? JSON_FLAG : 0);
  bytes.writeBigInt64LE(frame.created, 9);
  bytes.writeDoubleLE(frame.revision, 17);
  frame.id.copy(bytes, 25);
  bytes.writeUInt16LE(streamBytes, 41);
  bytes.writeUInt16LE(typeBytes, 43);
  bytes.writeUInt32LE(data.length, 45);
  bytes.writeUInt32LE(metadata.length, 49);
  let at = TEXT_AT;
  at += bytes.write(frame.stream, at);
  at += bytes.write(frame.type, at);
  at += data.copy(bytes, at);
  at += metadata.copy(bytes, at);
  bytes.writeUInt32LE(size, at);
  return bytes;
};

/**
 * Gives each frame of a group its place and its checksum. The place is under the checksum, so that
 * bytes that moved, or a copy of a frame inside some event's data, are never taken for a frame.
 */
export const sealGroup = (bytes: Buffer, group: number): void => {
  for (let at = 0; at < bytes.length;) {
    const size = bytes.readUInt32LE(at);
    bytes.writeDoubleLE(group + at, at + POSITION_AT);
    bytes.writeUInt32LE(at, at + GROUP_AT);
    bytes.writeUInt32LE(crc32c(bytes, at + HEAD_BYTES, at + size), at + 4);
    at += size;
  }
};

/** The size of the frame at an offset, or 0 where no whole frame can stand. */
export const frameSize = (bytes: Buffer, at: number): number => {
  if (at + HEAD_BYTES > bytes.length) return 0;
  const size = bytes.readUInt32LE(at);
  return size < FRAME_BYTES_MIN || size > FRAME_BYTES_MAX || at + size > bytes.length ? 0 : size;
};

/** Whether the frame at an offset is what was written there; `base` is where `bytes` begin. */
export const frameIsSound = (bytes: Buffer, at: number, base: number): boolean => {
  const size = frameSize(bytes, at);
  return (
    size > 0 &&
    bytes.readUInt32LE(at + size - TAIL_BYTES) === size &&
    bytes.readDoubleLE(at + POSITION_AT) === base + at &&
    bytes.readUInt32LE(at + 4) === crc32c(bytes, at + HEAD_BYTES, at + size)
  );
};

/** Reads the frame at an offset of bytes that begin at `base` in the log. Copies nothing. */
export const decodeFrame = (bytes: Buffer, at: number, base: number): Frame => {
  const flags = bytes[at + 8] ?? 0;
  const streamEnd = at + TEXT_AT + bytes.readUInt16LE(at + 41);
  const typeEnd = streamEnd + bytes.readUInt16LE(at + 43);
  const dataEnd = typeEnd + bytes.readUInt32LE(at + 45);
  return {
    position: base + at,
    size: bytes.readUInt32LE(at),
    group: base + at - bytes.readUInt32LE(at + GROUP_AT),
    last: (flags & LAST) !== 0,
    json: (flags & JSON_FLAG) !== 0,
    created: bytes.readBigInt64LE(at + 9),
    revision: bytes.readDoubleLE(at + 17),
    id: bytes.subarray(at + 25, at + 41),
    stream: bytes.toString('utf8', at + TEXT_AT, streamEnd),
    type: bytes.toString('utf8', streamEnd, typeEnd),
    data: bytes.subarray(typeEnd, dataEnd),
    metadata: bytes.subarray(dataEnd, dataEnd + bytes.readUInt32LE(at + 49)),
  };
};

/** The frames that stand whole in bytes that begin at `base`, in order. */
export function* framesOf({ base, bytes }: Readonly<{ base: number; bytes: Buffer }>) {
  let at = 0;
  for (let size = frameSize(bytes, at); size > 0; size = frameSize(bytes, at)) {
    yield decodeFrame(bytes, at, base);
    at += size;
  }
}
