import type { Socket } from 'node:net';
import { MESSAGE_BYTES_MAX, type Request, parseRequest, replyHead } from './message.js';

/** Answers one request by a reply document. Never rejects: a refusal is a reply too. */
export type Answer = (request: Request) => Promise<Buffer> | Buffer;

/** A client that sends on without waiting is read no further above this, bytes. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
/** A client that does not read its answers gets no more of them above this, bytes. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;
/** Time for a client to take its last answers when the server stops, ms. */
const GRACE_MS = 2_000;
const HEADER_BYTES = 16;

/** One client's connection: cuts its bytes into messages and answers them in order. */
export class Connection {
  private chunks: Buffer[] = [];
  private bytes = 0;
  private isBusy = false;
  private isEnding = false;
  private working: Promise<void> = Promise.resolve();

  constructor(
    private readonly socket: Socket,
    private readonly answer: Answer,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.bytes += chunk.length;
      if (this.bytes > UNREAD_BYTES_MAX) socket.pause();
      if (!this.isBusy) this.working = this.work();
    });
    socket.on('error', () => socket.destroy());
  }

  /** Ends the connection once what was answered is sent. */
  async end(): Promise<void> {
    this.isEnding = true;
    this.socket.pause();
    const grace = setTimeout(() => this.socket.destroy(), GRACE_MS);
    this.socket.once('close', () => clearTimeout(grace));
    await this.working;
    this.socket.destroySoon();
  }

  private async work(): Promise<void> {
    this.isBusy = true;
    try {
      for (let message = this.take(); message !== undefined; message = this.take()) {
        const request = parseRequest(message);
        const reply = this.answer(request);
        const document = reply instanceof Promise ? await reply : reply;
        if (request.expectsReply) this.send(replyHead(request, document), document);
        if (this.socket.writableLength > UNSENT_BYTES_MAX) await this.drained();
      }
    } catch {
      this.socket.destroy();
    } finally {
      this.isBusy = false;
    }
    this.resume();
  }

  private send(head: Buffer, document: Buffer): void {
    if (this.socket.destroyed) return;
    this.socket.cork();
    this.socket.write(head);
    this.socket.write(document);
    this.socket.uncork();
  }

  /** Resolves when what was sent is taken, or nobody is there to take it. */
  private async drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.once('drain', resolve);
      this.socket.once('close', resolve);
    });
  }

  /** The next whole message, or undefined until more bytes have come. */
  private take(): Buffer | undefined {
    if (this.bytes < HEADER_BYTES) return undefined;
    let first = this.chunks[0];
    if (first === undefined) return undefined;
    if (first.length < HEADER_BYTES) first = this.join();
    const length = first.readInt32LE(0);
    if (length < HEADER_BYTES || length > MESSAGE_BYTES_MAX) {
      throw new RangeError(`a message of ${length} bytes`);
    }
    if (this.bytes < length) {
      this.resume();
      return undefined;
    }
    if (first.length < length) first = this.join();
    this.bytes -= length;
    if (first.length === length) this.chunks.shift();
    else this.chunks[0] = first.subarray(length);
    return first.subarray(0, length);
  }

  private resume(): void {
    if (this.socket.isPaused() && !this.isEnding) this.socket.resume();
  }

  private join(): Buffer {
    const whole = Buffer.concat(this.chunks);
    this.chunks = [whole];
    return whole;
  }
}
