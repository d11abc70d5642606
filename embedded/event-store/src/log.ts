import { mkdir } from 'node:fs/promises';
import { crashPoint } from './crash-points.js';
import { decodeFrame, frameIsSound, frameSize, FRAME_BYTES_MAX } from './frame.js';
import {
  createSegment,
  openSegments,
  SEGMENT_HEAD_BYTES,
  UnusableLog,
  type Segment,
} from './segments.js';

/** A run of bytes of the log: whole frames from `base` on. */
export type Chunk = Readonly<{ base: number; bytes: Buffer }>;

/** Newest bytes of the log kept in memory, for subscribers that are nearly there. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024;
/** What one read from disk brings: a compromise of memory per reader and calls per second. */
const READ_BYTES = 1024 * 1024;

type Waiting = { bytes: readonly Buffer[]; done: () => void; failed: (error: Error) => void };

/** The append-only log: bytes in, synced, grouped; bytes out from memory or disk. */
export class Log {
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #segments: Segment[];
  /** Everything before this is on disk. */
  #committed: number;
  /** Where the next append goes. */
  #next: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  readonly #cache: Chunk[] = [];
  #cached = 0;
  readonly #listeners = new Set<() => void>();

  private constructor(folder: string, segmentBytes: number, segments: Segment[], end: number) {
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#segments = segments;
    this.#committed = end;
    this.#next = end;
  }

  /** Opens a folder; cuts what a crash left unfinished at the end, and nothing else. */
  static async open(folder: string, segmentBytes: number): Promise<Log> {
    await mkdir(folder, { recursive: true });
    const segments = await openSegments(folder);
    try {
      await mustAdjoin(segments);
      const last = segments.at(-1);
      if (!last) throw new UnusableLog(`${folder} has no segment.`);
      return new Log(folder, segmentBytes, segments, await soundEnd(last));
    } catch (error) {
      for (const { file } of segments) await file.close();
      throw error;
    }
  }

  get committed(): number {
    return this.#committed;
  }

  get next(): number {
    return this.#next;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Calls after every group that reached the disk. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the frames are on disk. Their place is `next` at the time of the call. */
  append(bytes: readonly Buffer[]): Promise<void> {
    for (const part of bytes) this.#next += part.length;
    return new Promise((done, failed) => {
      this.#waiting.push({ bytes, done, failed });
      // All appends of this turn of the event loop share one write and one sync.
      this.#writing ??= Promise.resolve().then(() => this.#writeGroups());
    });
  }

  async #writeGroups(): Promise<void> {
    await new Promise((turn) => {
      setImmediate(turn);
    });
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const bytes = Buffer.concat(group.flatMap((waiting) => waiting.bytes));
      try {
        await this.#write(bytes);
      } catch (error) {
        await this.#fail([...group, ...this.#waiting], error);
        continue;
      }
      this.#remember({ base: this.#committed, bytes });
      this.#committed += bytes.length;
      for (const { done } of group) done();
      for (const listener of this.#listeners) listener();
    }
    this.#writing = undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    const segment = await this.#segmentFor(this.#committed);
    const offset = SEGMENT_HEAD_BYTES + this.#committed - segment.start;
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await segment.file.write(
        bytes,
        written,
        bytes.length - written,
        offset + written,
      );
      written += bytesWritten;
    }
    crashPoint('log.written');
    try {
      await segment.file.datasync();
    } catch (error) {
      // After a failed sync the kernel may have dropped the pages: only a restart tells what is there.
      process.stderr.write(`The log could not be synced (${String(error)}); stopping.\n`);
      process.exit(1);
    }
    crashPoint('log.synced');
  }

  async #segmentFor(position: number): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last && position - last.start < this.#segmentBytes) return last;
    const fresh = await createSegment(this.#folder, position);
    this.#segments.push(fresh);
    return fresh;
  }

  /** Nothing of these was acknowledged: the log goes on from what is on disk. */
  async #fail(group: readonly Waiting[], cause: unknown): Promise<void> {
    this.#waiting = [];
    this.#next = this.#committed;
    // What was half written must not be taken for damage at the next start.
    const last = this.#segments.at(-1);
    if (last) await last.file.truncate(SEGMENT_HEAD_BYTES + this.#committed - last.start);
    const reason = cause instanceof Error ? cause.message : String(cause);
    for (const { failed } of group)
      failed(new Error(`The log cannot be written: ${reason}`, { cause }));
  }

  #remember(chunk: Chunk): void {
    this.#cache.push(chunk);
    this.#cached += chunk.bytes.length;
    while (this.#cached > CACHE_BYTES_MAX) this.#cached -= this.#cache.shift()?.bytes.length ?? 0;
  }

  /** The chunk in memory that holds a position, cut to begin there. */
  #fromCache(position: number): Chunk | undefined {
    const oldest = this.#cache[0];
    if (!oldest || position < oldest.base) return undefined;
    let low = 0;
    let high = this.#cache.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#cache[middle]?.base ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    const chunk = this.#cache[low];
    if (!chunk) return undefined;
    return { base: position, bytes: chunk.bytes.subarray(position - chunk.base) };
  }

  /** Whole frames from a frame's position on; `undefined` at the end of what is committed. */
  read(position: number, bytes = READ_BYTES): Chunk | undefined | Promise<Chunk | undefined> {
    if (position >= this.#committed) return undefined;
    return this.#fromCache(position) ?? this.#readFile(position, bytes);
  }

  async #readFile(position: number, wanted: number): Promise<Chunk | undefined> {
    const at = this.#segments.findLastIndex(({ start }) => start <= position);
    const segment = this.#segments[at];
    if (!segment) return undefined;
    const end = Math.min(this.#segments[at + 1]?.start ?? this.#committed, this.#committed);
    const bytes = await readAt(segment, position, Math.min(wanted, end - position));
    const whole = wholeFrames(bytes);
    if (whole > 0) return { base: position, bytes: bytes.subarray(0, whole) };
    // One frame larger than the read: read exactly as far as it says it goes.
    const size = bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
    if (size <= wanted || size > FRAME_BYTES_MAX || position + size > end) return undefined;
    return { base: position, bytes: await readAt(segment, position, size) };
  }

  /** The size of the frame that ends at a position; 0 at the beginning of the log. */
  async sizeBefore(position: number): Promise<number> {
    const segment = this.#segments.findLast(({ start }) => start < position);
    if (!segment) return 0;
    return (await readAt(segment, position - 4, 4)).readUInt32LE(0);
  }

  /** Resolves when everything appended so far is on disk or has failed. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing;
    for (const { file } of this.#segments) await file.close();
  }
}

/** Segments that leave a gap between them have lost something. */
const mustAdjoin = async (segments: readonly Segment[]): Promise<void> => {
  for (const [at, { path, start, file }] of segments.entries()) {
    const following = segments[at + 1];
    const { size } = await file.stat();
    const end = start + size - SEGMENT_HEAD_BYTES;
    if (following && following.start !== end)
      throw new UnusableLog(
        `${path} ends at ${end} but the next segment begins at ${following.start}. ` +
          'Restore the folder from a backup.',
      );
  }
};

const readAt = async (segment: Segment, position: number, length: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafe(length);
  const offset = SEGMENT_HEAD_BYTES + position - segment.start;
  const { bytesRead } = await segment.file.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
};

const wholeFrames = (bytes: Buffer): number => {
  let at = 0;
  for (let size = frameSize(bytes, at); size > 0; size = frameSize(bytes, at)) at += size;
  return at;
};

/** Where the frames of a segment end; `damaged` when something unsound stands before that. */
const soundEnd = async (segment: Segment): Promise<number> => {
  const { size } = await segment.file.stat();
  const bytes = await readAt(segment, segment.start, size - SEGMENT_HEAD_BYTES);
  let at = 0;
  /** End of the last append that is there whole. */
  let end = 0;
  for (;;) {
    const frame = frameSize(bytes, at);
    if (frame === 0 || !frameIsSound(bytes, at, frame)) break;
    const { last } = decodeFrame(bytes, at, segment.start);
    at += frame;
    if (last) end = at;
  }
  refuseDamage(segment, bytes, at);
  if (end < bytes.length) {
    await segment.file.truncate(SEGMENT_HEAD_BYTES + end);
    await segment.file.sync();
  }
  return segment.start + end;
};

/**
 * A torn tail is what one unfinished write leaves: nothing sound follows it. A sound frame after an
 * unsound one is damage to acknowledged events.
 */
const refuseDamage = (segment: Segment, bytes: Buffer, at: number): void => {
  for (let later = at + 1; later < bytes.length; later++) {
    const size = frameSize(bytes, later);
    if (size > 0 && frameIsSound(bytes, later, size))
      throw new UnusableLog(
        `${segment.path} is damaged at offset ${SEGMENT_HEAD_BYTES + at}: the event there fails its ` +
          'checksum and sound events follow it. Restore the folder from a backup; ' +
          '`scrub` lists every damaged place.',
      );
  }
};
