import { randomBytes } from 'node:crypto';
import { CommandError } from '../errors.js';

/** Where the documents of a cursor come from, one after another. */
export interface Source {
  /** The next document, null when one was passed over, undefined at the end. */
  step(): Buffer | null | undefined;
  /** Why it cannot go on, when what it reads was dropped meanwhile. */
  broken?(): string | undefined;
}

/** A query whose answer goes out in portions. */
export interface OpenCursor {
  readonly namespace: string;
  readonly source: Source;
  /** A document that did not fit into the last portion. */
  held: Buffer | undefined;
  usedAt: number;
}

/** MongoDB's time after which an unused cursor is closed (cursorTimeoutMillis), ms. */
const IDLE_MS_MAX = 600_000;
/** How often idle cursors are looked for, ms. */
const SWEEP_MS = 60_000;

/** The cursors that clients hold. */
export class Cursors {
  private readonly open = new Map<bigint, OpenCursor>();
  private readonly timer = setInterval(() => this.sweep(), SWEEP_MS).unref();

  add(cursor: OpenCursor): bigint {
    const id = randomBytes(8).readBigUInt64LE() >> 1n || 1n;
    this.open.set(id, cursor);
    return id;
  }

  take(id: bigint): OpenCursor {
    const cursor = this.open.get(id);
    if (cursor === undefined) throw new CommandError(43, `cursor id ${id} not found`);
    cursor.usedAt = Date.now();
    return cursor;
  }

  kill(id: bigint): boolean {
    return this.open.delete(id);
  }

  close(): void {
    clearInterval(this.timer);
    this.open.clear();
  }

  private sweep(): void {
    const oldest = Date.now() - IDLE_MS_MAX;
    for (const [id, { usedAt }] of this.open) if (usedAt < oldest) this.open.delete(id);
  }
}
