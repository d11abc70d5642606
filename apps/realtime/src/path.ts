import type { Seen, Span, Stretched } from '#platform';

/** Stretches kept of one connection: a device that falls behind again and again keeps the last. */
const STRETCHES_MAX = 8;

type Growing = { -readonly [Name in keyof Stretched]: Stretched[Name] };

/** What the ledger says of a connection that changes while it lasts. */
export type Told = Pick<Span, 'path' | 'told' | 'acknowledged' | 'live' | 'seen'>;

/**
 * What one connection was told and what it acknowledged, as stretches of the log: a few numbers,
 * however many messages.
 */
export class Path {
  readonly #stretches: Growing[] = [];
  #told = -1;
  #acknowledged = -1;
  #seen: Span['seen'];
  #isLive = false;
  /** Where the client last said that it stands. */
  #stands: number | undefined;
  #isDirty = false;
  /** Stretches that have grown since they were last written down. */
  #isGrown = false;

  /** Whether anything changed since it was last `taken`. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** Something live went out. */
  told(position: number): void {
    this.#told = position;
    this.#isDirty = true;
  }

  /** The client has everything up to here. */
  acknowledged(position: number): void {
    this.#stands = position;
    if (position <= this.#acknowledged) return;
    this.#acknowledged = position;
    this.#isDirty = true;
  }

  /** The client says what it has shown up to a position. */
  seen(seen: Seen, upTo: number): void {
    this.#seen = { ...seen, upTo };
    this.#isDirty = true;
  }

  /** Pages follow from where the client stands. */
  resume(): void {
    const last = this.#stretches.at(-1);
    // The pages of one resume are one stretch.
    if (last?.path === 'sync' && last.to === this.#stands) return;
    if (this.#stands !== undefined) this.#begin('sync', this.#stands);
  }

  /** A page went out whose last fact is there. */
  paged(position: number | undefined): void {
    if (position !== undefined) this.#grow('sync', position);
  }

  /** The last page covered everything up to here; what is told now follows it. */
  live(position: number): void {
    this.#grow('sync', position);
    this.#isLive = true;
    this.#begin('socket', position);
  }

  /** No longer told as it happens. */
  stop(): void {
    this.#endLive();
    this.#isLive = false;
    this.#isDirty = true;
  }

  /** As it stands, stamped; from here on it is not dirty. */
  taken(atMs: number): Told {
    this.#endLive();
    const last = this.#stretches.at(-1);
    if (last && this.#isGrown) last.at = atMs;
    for (const stretch of this.#stretches) stretch.at ||= atMs;
    this.#isDirty = false;
    this.#isGrown = false;
    return {
      path: this.#stretches.map((stretch) => ({ ...stretch })),
      told: this.#told,
      acknowledged: this.#acknowledged,
      live: this.#isLive,
      ...(this.#seen ? { seen: this.#seen } : {}),
    };
  }

  /** What was taken could not be written down. */
  untaken(): void {
    this.#isDirty = true;
  }

  /** A live stretch reaches to the last thing told in it. */
  #endLive(): void {
    if (this.#isLive) this.#grow('socket', this.#told);
  }

  #begin(path: Stretched['path'], from: number): void {
    this.#stretches.push({ path, from, to: from, at: 0 });
    if (this.#stretches.length > STRETCHES_MAX) this.#stretches.shift();
    this.#isDirty = true;
    this.#isGrown = true;
  }

  #grow(path: Stretched['path'], to: number): void {
    const last = this.#stretches.at(-1);
    if (last?.path !== path || to <= last.to) return;
    last.to = to;
    this.#told = Math.max(this.#told, to);
    this.#isDirty = true;
    this.#isGrown = true;
  }
}
