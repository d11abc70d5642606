import { mkdir } from 'node:fs/promises';
import { ChunkCache, type Chunk } from './chunk-cache.js';
import { cutShort, damaged, soundEnd } from './check.js';
import { crashPoint } from './crash-points.js';
import {
  decodeFrame,
  frameIsSound,
  frameSize,
  FRAME_BYTES_MAX,
  sealGroup,
  type Frame,
} from './frame.js';
import {
  closeAll,
  createSegment,
  openSegments,
  readAt,
  SEGMENT_HEAD_BYTES,
  type Segment,
} from './segments.js';
import { stopAtOnce } from './stop.js';

/** What one read from disk brings: a compromise of memory per reader and calls per second. */
const READ_BYTES = 256 * 1024;
/** What a read of one event tries first: most are smaller. */
const FRAME_READ_BYTES = 4 * 1024;

type Waiting = {
  bytes: readonly Buffer[];
  landed: () => void;
  done: () => void;
  failed: (error: Error) => void;
};

const nothing = (): void => undefined;

/** The append-only log: bytes in, synced, grouped; bytes out from memory or disk. */
export class Log {
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #segments: Segment[];
  readonly #cache = new ChunkCache();
  /** Everything before this is on disk. */
  #committed: number;
  /** Where the next append goes. */
  #next: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  readonly #listeners = new Set<() => void>();
  #onFailure = nothing;

  private constructor(folder: string, segmentBytes: number, segments: Segment[], end: number) {
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#segments = segments;
    this.#committed = end;
    this.#next = end;
  }

  /**
   * Opens a folder; cuts what a crash left unfinished at the end, and nothing else. Events before
   * `acknowledged` are known to have been there.
   */
  static async open(folder: string, segmentBytes: number, acknowledged: number): Promise<Log> {
    await mkdir(folder, { recursive: true });
    const { segments, unfinished } = await openSegments(folder, 'r+');
    try {
      const tail = segments.at(-1);
      const end = tail ? await soundEnd(tail) : 0;
      if (tail && unfinished && end < unfinished.start) throw damaged(tail, end);
      if (end < acknowledged) throw cutShort(folder, end, acknowledged);
      if (!tail || unfinished) segments.push(await createSegment(folder, end));
      await settleTail(segments.at(-1), end);
      return new Log(folder, segmentBytes, segments, end);
    } catch (error) {
      await closeAll(segments);
      throw error;
    } finally {
      await unfinished?.file.close();
    }
  }

  get committed(): number {
    return this.#committed;
  }

  get next(): number {
    return this.#next;
  }

  /** Calls after every group that reached the disk. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls when everything that waited was given up, before any of it hears so. */
  onFailure(listener: () => void): void {
    this.#onFailure = listener;
  }

  /**
   * Resolves when the frames are on disk; `landed` is called just before, in the order of the log.
   * Their place is `next` at the time of the call.
   */
  append(bytes: readonly Buffer[], landed: () => void): Promise<void> {
    for (const part of bytes) this.#next += part.length;
    return new Promise((done, failed) => {
      this.#waiting.push({ bytes, landed, done, failed });
      this.#writing ??= this.#writeGroups();
    });
  }

  /** Resolves when everything appended before is on disk; rejects when it was given up. */
  barrier(): Promise<void> {
    return this.#writing ? this.append([], nothing) : Promise.resolve();
  }

  async #writeGroups(): Promise<void> {
    // All appends of this turn of the event loop share one write and one sync.
    await new Promise((turn) => {
      setImmediate(turn);
    });
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const bytes = Buffer.concat(group.flatMap((waiting) => waiting.bytes));
      try {
        if (bytes.length > 0) await this.#write(bytes);
      } catch (error) {
        await this.#giveUp(group, error);
        continue;
      }
      if (bytes.length > 0) this.#cache.push({ base: this.#committed, bytes });
      this.#committed += bytes.length;
      for (const { landed, done } of group) {
        landed();
        done();
      }
      for (const listener of this.#listeners) listener();
    }
    this.#writing = undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    const segment = await this.#segmentFor(this.#committed);
    sealGroup(bytes, this.#committed);
    const offset = SEGMENT_HEAD_BYTES + this.#committed - segment.start;
    let written = 0;
    while (written < bytes.length) {
      const left = bytes.length - written;
      written += (await segment.file.write(bytes, written, left, offset + written)).bytesWritten;
    }
    crashPoint('log.written');
    try {
      await segment.file.datasync();
    } catch (error) {
      // After a failed sync the kernel may have dropped the pages: only a restart tells what is there.
      stopAtOnce(`${segment.path} could not be synced (${String(error)}); stopping.`);
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
  async #giveUp(group: readonly Waiting[], cause: unknown): Promise<void> {
    const last = this.#segments.at(-1);
    try {
      // What was half written must not be taken for damage at the next start.
      await last?.file.truncate(SEGMENT_HEAD_BYTES + this.#committed - last.start);
    } catch (error) {
      stopAtOnce(`${this.#folder} can neither be written nor cut (${String(error)}); stopping.`);
    }
    const all = [...group, ...this.#waiting];
    this.#waiting = [];
    this.#next = this.#committed;
    this.#onFailure();
    const reason = cause instanceof Error ? cause.message : String(cause);
    for (const { failed } of all) failed(new Error(`The log cannot be written: ${reason}`));
  }

  /**
   * Whole, checked frames from a frame's position on; `undefined` at the end of what is committed.
   */
  read(position: number): Chunk | undefined | Promise<Chunk> {
    if (position >= this.#committed) return undefined;
    return this.#cache.from(position) ?? this.#readFile(position, READ_BYTES);
  }

  #segmentOf(position: number): { segment: Segment; end: number } {
    const at = this.#segments.findLastIndex(({ start }) => start <= position);
    const segment = this.#segments[at];
    if (!segment) throw new RangeError(`No segment holds position ${position}.`);
    return { segment, end: this.#segments[at + 1]?.start ?? this.#committed };
  }

  async #readFile(position: number, wanted: number): Promise<Chunk> {
    const { segment, end } = this.#segmentOf(position);
    const bytes = await readAt(segment, position, Math.min(wanted, end - position));
    let at = 0;
    while (frameIsSound(bytes, at, position)) at += frameSize(bytes, at);
    if (at > 0) return { base: position, bytes: bytes.subarray(0, at) };
    // One frame larger than the read: read as far as it says it goes.
    const size = bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
    if (size <= wanted || size > FRAME_BYTES_MAX) throw damaged(segment, position);
    return this.#readFile(position, size);
  }

  /** The event at a position that is known to be one's. */
  async frame(position: number): Promise<Frame> {
    const cached = this.#cache.from(position);
    const { base, bytes } = cached ?? (await this.#readFile(position, FRAME_READ_BYTES));
    return decodeFrame(bytes, 0, base);
  }

  /** Whether an event, or the end of the log, is at a position. */
  async isBoundary(position: number): Promise<boolean> {
    if (position === this.#committed) return true;
    const { segment, end } = this.#segmentOf(position);
    const head = await readAt(segment, position, Math.min(4, end - position));
    const size = head.length < 4 ? 0 : head.readUInt32LE(0);
    if (size > Math.min(end - position, FRAME_BYTES_MAX)) return false;
    return frameIsSound(await readAt(segment, position, size), 0, position);
  }

  /** Whole frames that end at a position, the last ones first; none at the beginning of the log. */
  async readBackwards(position: number): Promise<Frame[]> {
    if (position === 0) return [];
    const { segment } = this.#segmentOf(position - 1);
    let length = Math.min(READ_BYTES, position - segment.start);
    let bytes = await readAt(segment, position - length, length);
    const size = bytes.length === length ? bytes.readUInt32LE(length - 4) : 0;
    if (size > length && size <= position - segment.start) {
      length = size;
      bytes = await readAt(segment, position - length, length);
    }
    const frames: Frame[] = [];
    const base = position - length;
    for (let end = length; end >= 4;) {
      const at = end - bytes.readUInt32LE(end - 4);
      if (at < 0 || !frameIsSound(bytes, at, base)) break;
      frames.push(decodeFrame(bytes, at, base));
      end = at;
    }
    if (frames.length === 0) throw damaged(segment, position - Math.min(size, length));
    return frames;
  }

  /** Resolves when everything appended so far is on disk or was given up. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing;
    await closeAll(this.#segments);
  }
}

/** Cuts what was never acknowledged, and syncs what a kill left unsynced: readers will see it. */
const settleTail = async (tail: Segment | undefined, end: number): Promise<void> => {
  await tail?.file.truncate(SEGMENT_HEAD_BYTES + end - tail.start);
  await tail?.file.sync();
};
