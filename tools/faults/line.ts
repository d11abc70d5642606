import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** A direction of a line. */
export type Direction = 'up' | 'down';

/**
 * What goes wrong on a line. `delayMs`: bytes wait a random time up to this, in order. `isDeaf`:
 * bytes of that direction vanish while the connection stays (a black hole when both are).
 * `bytesPerS`: a reader that slow. `drops`: WebSocket messages to the client that vanish.
 */
export type Trouble = Readonly<{
  delayMs?: number;
  isDeaf?: Readonly<Partial<Record<Direction, boolean>>>;
  bytesPerS?: number;
  drops?: (message: string) => boolean;
}>;

/** How often a slow reader reads (ms). */
const SLICE_MS = 100;

/** Takes WebSocket frames apart that a server sends (RFC 6455, 5.2: never masked). */
class Frames {
  #rest: Buffer = Buffer.alloc(0);
  #isUpgraded: boolean | undefined;

  /** The bytes that are left when frames for which `drops` holds are taken out. */
  without(bytes: Buffer, drops: (message: string) => boolean): Buffer {
    // Another protocol is none of ours.
    this.#isUpgraded ??= bytes.toString('latin1', 0, 12) === 'HTTP/1.1 101' ? undefined : false;
    if (this.#isUpgraded === false) return bytes;
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const kept: Buffer[] = [];
    if (this.#isUpgraded === undefined) {
      const head = this.#rest.indexOf('\r\n\r\n');
      if (head < 0) return Buffer.alloc(0);
      this.#isUpgraded = true;
      kept.push(this.#take(head + 4));
    }
    for (let size = this.#frameSize(); size !== undefined; size = this.#frameSize()) {
      const frame = this.#take(size.head + size.body);
      if (!drops(frame.subarray(size.head).toString())) kept.push(frame);
    }
    return Buffer.concat(kept);
  }

  #take(bytes: number): Buffer {
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }

  #frameSize(): { head: number; body: number } | undefined {
    if (this.#rest.length < 2) return undefined;
    const short = (this.#rest[1] ?? 0) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#rest.length < head) return undefined;
    let body = short;
    if (short === 126) body = this.#rest.readUInt16BE(2);
    if (short === 127) body = Number(this.#rest.readBigUInt64BE(2));
    return this.#rest.length < head + body ? undefined : { head, body };
  }
}

/** A connection that goes through a line. */
type Pair = Readonly<{ near: Socket; far: Socket }>;

/** A TCP line to a port of this machine, on which things go wrong as they are told to. */
export class Line {
  readonly #server = createServer((near) => this.#connect(near));
  readonly #pairs = new Set<Pair>();
  #trouble: Trouble = {};

  private constructor(
    private readonly target: () => number,
    private readonly chance: () => number,
  ) {}

  /** Lays a line; the target's port is asked for at each connection. */
  static async to(target: () => number, chance: () => number): Promise<Line> {
    const line = new Line(target, chance);
    await new Promise<void>((resolve) => {
      line.#server.listen(0, '127.0.0.1', resolve);
    });
    return line;
  }

  get port(): number {
    // A server that listens on TCP has an address with a port.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** From now on this goes wrong; `{}` mends the line, connections that went deaf stay so. */
  trouble(trouble: Trouble): void {
    this.#trouble = trouble;
  }

  /** Breaks all connections: by RST, or in order by FIN. */
  cut(how: 'reset' | 'end'): void {
    for (const { near, far } of this.#pairs)
      for (const socket of [near, far]) {
        if (how === 'reset') socket.resetAndDestroy();
        else socket.end();
      }
  }

  close(): Promise<void> {
    this.cut('reset');
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #connect(near: Socket): void {
    const far = createConnection(this.target(), '127.0.0.1');
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => {
        // Its close follows.
      });
      socket.on('close', () => {
        this.#pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
    void this.#carry(near, far, 'up');
    void this.#carry(far, near, 'down');
  }

  /** Bytes wait for those before them, so that their order holds whatever the delay. */
  async #carry(from: Socket, to: Socket, direction: Direction): Promise<void> {
    const frames = new Frames();
    let isDeaf = false;
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      for await (const bytes of from as AsyncIterable<Buffer>) {
        const { delayMs = 0, drops = none } = this.#trouble;
        // What has lost bytes can never go on in the middle.
        isDeaf ||= this.#trouble.isDeaf?.[direction] === true;
        if (isDeaf) continue;
        if (delayMs > 0) await pause(this.chance() * delayMs);
        if (direction === 'up') await put(bytes, to);
        else await this.#answer(frames.without(bytes, drops), to);
      }
      to.end();
    } catch {
      // A broken connection ends both ways; the sockets' own events say so.
      to.destroy();
    }
  }

  #answer(bytes: Buffer, to: Socket): Promise<void> {
    return this.#trouble.bytesPerS === undefined ? put(bytes, to) : this.#drip(bytes, to);
  }

  async #drip(bytes: Buffer, to: Socket): Promise<void> {
    for (let at = 0; at < bytes.length && !to.destroyed;) {
      const { bytesPerS } = this.#trouble;
      const slice =
        bytesPerS === undefined
          ? bytes.length
          : Math.max(1, Math.round((bytesPerS * SLICE_MS) / 1_000));
      to.write(bytes.subarray(at, at + slice));
      at += slice;
      if (bytesPerS !== undefined) await pause(SLICE_MS);
    }
  }
}

const none = (): boolean => false;

const put = async (bytes: Buffer, to: Socket): Promise<void> => {
  if (!to.write(bytes)) await drained(to);
};

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.once('drain', done).once('close', done);
  });
