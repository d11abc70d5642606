/** A run of bytes of the log: whole frames from `base` on. */
export type Chunk = Readonly<{ base: number; bytes: Buffer }>;

/** Newest bytes of the log kept in memory, for readers that are nearly there. */
const CACHE_BYTES_MAX = 8 * 1024 * 1024;
/** Places of dropped chunks are closed up together: moving a long array's items costs time. */
const DROPPED_MAX = 1_024;

const DROPPED: Chunk = { base: -1, bytes: Buffer.alloc(0) };

/** The newest part of the log, in order and without a gap, bounded by bytes. */
export class ChunkCache {
  #chunks: Chunk[] = [];
  #first = 0;
  #bytes = 0;

  push(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.bytes.length;
    while (this.#bytes > CACHE_BYTES_MAX && this.#first < this.#chunks.length) {
      this.#bytes -= this.#chunks[this.#first]?.bytes.length ?? 0;
      this.#chunks[this.#first] = DROPPED;
      this.#first += 1;
    }
    if (this.#first < DROPPED_MAX) return;
    this.#chunks = this.#chunks.slice(this.#first);
    this.#first = 0;
  }

  /** The chunk that holds a position, cut to begin there. */
  from(position: number): Chunk | undefined {
    let low = this.#first;
    let high = this.#chunks.length - 1;
    const oldest = this.#chunks[low];
    if (!oldest || position < oldest.base) return undefined;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#chunks[middle]?.base ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    const chunk = this.#chunks[low];
    if (!chunk || position >= chunk.base + chunk.bytes.length) return undefined;
    return { base: position, bytes: chunk.bytes.subarray(position - chunk.base) };
  }
}
