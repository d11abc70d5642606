import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ReadReq } from './protocol.js';

/** A call that reads. */
export type ReadCall = ServerWritableStream<ReadReq, Buffer>;

/** Events looked at before others get their turn: about a millisecond. */
const BREATH_EVENTS = 256;

/** Where a reader's answers go: at the client's pace, and no further once it is gone. */
export class Outlet {
  readonly #call: ReadCall;
  #over = false;
  #wake: (() => void) | undefined;
  #looked = 0;

  constructor(call: ReadCall) {
    this.#call = call;
    const end = (): void => {
      this.#over = true;
      this.#wake?.();
    };
    call.on('cancelled', end);
    call.on('close', end);
    call.on('error', end);
  }

  /** Whether the client is gone. */
  get over(): boolean {
    return this.#over;
  }

  /** Writes one message; a promise means: wait, the client is slow, and memory here is bounded. */
  write(bytes: Buffer): void | Promise<void> {
    if (this.#over || this.#call.write(bytes)) return undefined;
    return this.until((resolve) => {
      this.#call.once('drain', resolve);
      return () => this.#call.off('drain', resolve);
    });
  }

  /** Counts an event that was looked at; a promise means: wait, it is others' turn. */
  breathe(): void | Promise<void> {
    this.#looked += 1;
    if (this.#looked % BREATH_EVENTS !== 0) return undefined;
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  /** Waits for something, or for the client to go. */
  async until(listen: (happened: () => void) => () => void): Promise<void> {
    if (this.#over) return;
    const stop = await new Promise<() => void>((resolve) => {
      const off = listen(() => resolve(off));
      this.#wake = () => resolve(off);
    });
    this.#wake = undefined;
    stop();
  }
}
