import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { Arrivals } from './arrivals.js';
import type { Seat } from './load.js';

/** Facts after which a device acknowledges, as the SDK does (and every 100 ms, by the generator). */
const ACK_FACTS = 32;
/** Pause before a refused command is sent again where the server names none (ms). */
const RETRY_MS = 50;

/** A message on its way. */
export type Said = {
  readonly id: string;
  readonly n: number;
  readonly conversationId: string;
  readonly by: Device;
  /** When it was to be sent. */
  readonly intendedMs: number;
  isAcknowledged: boolean;
  /** Devices that it has not reached, the sender's apart. */
  missing: number;
};

/** What a device tells of. */
export type DevicePort = Readonly<{
  acknowledged: (said: Said, seq: number) => void;
  delivered: (clientId: string, to: Device) => void;
  refused: (said: Said, code: string) => void;
  retried: () => void;
  behind: () => void;
  closed: (reason: string) => void;
}>;

type Answer = Readonly<{
  ok: boolean;
  data?: Readonly<{ seq?: number; live?: boolean; cursor?: string; facts?: readonly object[] }>;
  error?: Readonly<{ code: string; retryable: boolean; retryAfterMs?: number }>;
}>;

/** The text of a field of a packet: parsing each of many thousand facts a second would be the load. */
const fieldOf = (packet: string, key: string, end: string): string => {
  const at = packet.indexOf(key);
  return at < 0 ? '' : packet.slice(at + key.length, packet.indexOf(end, at + key.length));
};

/** Where a device stands: what it resumes from when it connects anew. */
export type Standing = Readonly<{
  cursor: string | null;
  after: Readonly<{ position: string; id: string }> | undefined;
}>;

/** Speaks Engine.IO 4 and Socket.IO 5 by hand, as much of them as a load needs. */
export class Device {
  readonly arrivals = new Arrivals();
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #counts = new Map<string, number>();
  #asked = 0;
  #unacknowledged = 0;
  #cursor: string | null = null;
  /** What came after the cursor was given. */
  #after: Readonly<{ position: string; id: string }> | undefined;
  #position = '0';
  #isOver = false;
  #welcomed: (() => void) | undefined;

  constructor(
    url: string,
    readonly seat: Seat,
    private readonly port: DevicePort,
    from: Standing = { cursor: null, after: undefined },
  ) {
    [this.#cursor, this.#after] = [from.cursor, from.after];
    const address = `${url.replace(/^http/u, 'ws')}/socket.io/?EIO=4&transport=websocket`;
    this.#socket = new WebSocket(address, { perMessageDeflate: false });
    this.#socket.on('message', (bytes: Buffer) => this.#hear(bytes.toString()));
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', (code) => this.#end(`close ${code}`));
  }

  get standing(): Standing {
    return { cursor: this.#cursor, after: this.#after };
  }

  /** Connects, and goes live, from the log's end where it stood nowhere. */
  async enter(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#welcomed = resolve;
    });
    await this.#resume();
  }

  /** Sends a message; the port hears how it went. */
  say(conversationId: string, text: string, intendedMs: number, readers: number): Said {
    const n = (this.#counts.get(conversationId) ?? 0) + 1;
    this.#counts.set(conversationId, n);
    const said: Said = {
      id: randomUUID(),
      n,
      conversationId,
      by: this,
      intendedMs,
      isAcknowledged: false,
      missing: readers,
    };
    this.#send(said, text);
    return said;
  }

  /** Says how far it has got, if that is news. */
  acknowledge(): void {
    if (this.#unacknowledged === 0 || this.#isOver) return;
    this.#unacknowledged = 0;
    this.#socket.send(`42["ack",{"v":1,"position":"${this.#position}"}]`);
  }

  leave(): void {
    this.#isOver = true;
    this.#socket.close();
  }

  #send(said: Said, text: string): void {
    const { id, n, conversationId } = said;
    const command = { v: 1, id, n, data: { conversationId, text } };
    this.#ask('message.send', command, ({ ok, data, error }) => {
      if (ok) return this.port.acknowledged(said, data?.seq ?? -1);
      if (error?.retryable !== true) return this.port.refused(said, error?.code ?? 'unknown');
      this.port.retried();
      setTimeout(() => this.#send(said, text), error.retryAfterMs ?? RETRY_MS);
    });
  }

  async #resume(): Promise<void> {
    while (!this.#isOver && !(await this.#page()));
  }

  /** One page towards live; whether it was the last. */
  async #page(): Promise<boolean> {
    const { ok, data, error } = await new Promise<Answer>((resolve) => {
      const after = this.#after ? { after: this.#after } : {};
      this.#ask('resume', { v: 1, cursor: this.#cursor, ...after }, resolve);
    });
    for (const fact of data?.facts ?? []) this.#fact(JSON.stringify(fact));
    if (data?.cursor !== undefined) [this.#cursor, this.#after] = [data.cursor, undefined];
    if (ok) return data?.live === true;
    await new Promise((resolve) => {
      setTimeout(resolve, error?.retryAfterMs ?? RETRY_MS);
    });
    return false;
  }

  #ask(name: string, payload: object, answered: (answer: Answer) => void): void {
    this.#asked += 1;
    this.#answers.set(this.#asked, answered);
    this.#socket.send(`42${this.#asked}["${name}",${JSON.stringify(payload)}]`);
  }

  #hear(packet: string): void {
    if (packet.startsWith('42["message.sent"')) this.#fact(packet);
    else if (packet.startsWith('43')) this.#answer(packet);
    else if (packet === '2') this.#socket.send('3');
    else if (packet.startsWith('0')) {
      const { token } = this.seat;
      this.#socket.send(`40${JSON.stringify({ token, protocol: 1, capabilities: [] })}`);
    } else if (packet.startsWith('42["welcome"')) this.#welcomed?.();
    else if (packet.startsWith('42["behind"')) {
      this.port.behind();
      void this.#resume();
    } else if (packet.startsWith('44') || packet.startsWith('42["error"')) this.#end(packet);
  }

  #answer(packet: string): void {
    const at = packet.indexOf('[');
    const id = Number(packet.slice(2, at));
    const answered = this.#answers.get(id);
    this.#answers.delete(id);
    // The server's answers are as its protocol says; checking them would be measured too.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    answered?.((JSON.parse(packet.slice(at)) as [Answer])[0]);
  }

  #fact(packet: string): void {
    const position = fieldOf(packet, '"position":"', '"');
    this.#position = position;
    this.#after = { position, id: fieldOf(packet, '"id":"', '"') };
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= ACK_FACTS) this.acknowledge();
    const conversationId = fieldOf(packet, '"conversationId":"', '"');
    const isNew = this.arrivals.arrived(conversationId, Number(fieldOf(packet, '"seq":', ',')));
    if (isNew) this.port.delivered(fieldOf(packet, '"clientId":"', '"'), this);
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.port.closed(reason);
  }
}
