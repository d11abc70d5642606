import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import type { Load, Outcome } from './load.js';

/** As the SDK does it: cumulative, every 32 facts or 100 ms. */
const ACK_FACTS = 32;
const ACK_MS = 100;
/** How long deliveries may still come after the last message (ms). */
const SETTLE_MS_MAX = 10_000;

type Answer = Readonly<{ ok: boolean; data?: Readonly<{ seq?: number; live?: boolean }> }>;
type Fact = Readonly<{
  conversationId: string;
  seq: number;
  position: string;
  clientId: string;
}>;

const tally = { acknowledged: 0, refused: 0, delivered: 0, duplicated: 0, misordered: 0 };
const ackMs: number[] = [];
const deliveredMs: number[] = [];
const sentAt = new Map<string, number>();

/** What the server said; its shape is trusted, because checking it would be measured too. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/no-unnecessary-type-parameters
const parsed = <Shape>(json: string): Shape => JSON.parse(json) as Shape;

/** One device, speaking Engine.IO 4 and Socket.IO 5 by hand: only what a load needs. */
class Device {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #next = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  #ids = 0;
  #unacknowledged = 0;
  #position = '0';
  #open: () => void = () => undefined;
  /** Resolves when the server has taken the token. */
  readonly connected: Promise<void>;

  constructor(url: string, token: string) {
    this.#socket = new WebSocket(
      `${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`,
    );
    this.#socket.on('message', (data: Buffer) => this.#hear(data.toString(), token));
    setInterval(() => this.#acknowledge(), ACK_MS);
    this.connected = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#socket.once('error', reject);
      this.#socket.once('close', () => reject(new Error('The server closed the connection.')));
    });
  }

  #hear(packet: string, token: string): void {
    if (packet.startsWith('42')) this.#event(packet);
    else if (packet.startsWith('43')) this.#answer(packet);
    else if (packet.startsWith('0'))
      this.#socket.send(`40${JSON.stringify({ token, protocol: 1, capabilities: [] })}`);
    else if (packet.startsWith('40')) this.#open();
    else if (packet === '2') this.#socket.send('3');
  }

  #answer(packet: string): void {
    const at = packet.indexOf('[');
    const id = Number(packet.slice(2, at));
    this.#answers.get(id)?.(parsed<[Answer]>(packet.slice(at))[0]);
    this.#answers.delete(id);
  }

  #event(packet: string): void {
    const [name, fact] = parsed<[string, Fact]>(packet.slice(packet.indexOf('[')));
    if (name !== 'message.sent') return;
    this.#position = fact.position;
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= ACK_FACTS) this.#acknowledge();
    const last = this.#seen.get(fact.conversationId) ?? -1;
    if (fact.seq === last) tally.duplicated += 1;
    else if (fact.seq < last) tally.misordered += 1;
    this.#seen.set(fact.conversationId, fact.seq);
    if (this.#own.delete(fact.clientId)) return;
    tally.delivered += 1;
    const began = sentAt.get(fact.clientId);
    if (began !== undefined) deliveredMs.push(performance.now() - began);
  }

  readonly #own = new Set<string>();

  #acknowledge(): void {
    if (this.#unacknowledged === 0) return;
    this.#unacknowledged = 0;
    this.#socket.send(`42${JSON.stringify(['ack', { v: 1, position: this.#position }])}`);
  }

  request(name: string, payload: object): Promise<Answer> {
    this.#ids += 1;
    const id = this.#ids;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#socket.send(`42${id}${JSON.stringify([name, payload])}`);
    });
  }

  /** Goes live from the log's end. */
  async resume(): Promise<void> {
    for (let isLive = false; !isLive;) {
      const { data } = await this.request('resume', { v: 1, cursor: null });
      isLive = data?.live === true;
    }
  }

  /** `from`: when it should have been sent, so that a slow server cannot hide behind its delay. */
  async say(conversationId: string, from: number): Promise<void> {
    const id = randomUUID();
    const n = (this.#next.get(conversationId) ?? 0) + 1;
    this.#next.set(conversationId, n);
    sentAt.set(id, from);
    this.#own.add(id);
    const data = { conversationId, text: 'It is a truth universally acknowledged, that a message' };
    const { ok } = await this.request('message.send', { v: 1, id, n, data });
    if (!ok) {
      tally.refused += 1;
      this.#next.set(conversationId, n - 1);
      return;
    }
    tally.acknowledged += 1;
    ackMs.push(performance.now() - from);
  }
}

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

const closed = async (devices: readonly Device[], load: Load, end: number): Promise<void> => {
  const talk = async (device: Device, at: number): Promise<void> => {
    const rooms = load.users[at]?.conversations ?? [];
    for (let n = 0; performance.now() < end; n++)
      await device.say(rooms[n % rooms.length] ?? '', performance.now());
  };
  await Promise.all(devices.map(talk));
};

const openLoop = async (devices: readonly Device[], load: Load, rate: number): Promise<void> => {
  const began = performance.now();
  const all: Promise<void>[] = [];
  // A device sends its next only after its last was answered, as the SDK does; intended times stay.
  const lanes = devices.map(() => Promise.resolve());
  for (let n = 0; n < rate * load.seconds; n++) {
    const from = began + (n * 1_000) / rate;
    const wait = from - performance.now();
    if (wait > 1) await sleep(wait);
    const at = n % devices.length;
    const rooms = load.users[at]?.conversations ?? [];
    const room = rooms[Math.floor(n / devices.length) % rooms.length] ?? '';
    const said = (lanes[at] ?? Promise.resolve()).then(() => devices[at]?.say(room, from));
    lanes[at] = said;
    all.push(said);
  }
  await Promise.all(all);
};

const run = async (load: Load): Promise<Outcome> => {
  const devices = load.users.map(({ token }) => new Device(load.socketUrl, token));
  await Promise.all(devices.map(({ connected }) => connected));
  await Promise.all(devices.map((device) => device.resume()));
  process.send?.('connected');
  const began = performance.now();
  if (load.ratePerS === undefined) await closed(devices, load, began + load.seconds * 1_000);
  else await openLoop(devices, load, load.ratePerS);
  const seconds = (performance.now() - began) / 1_000;
  const settled = performance.now() + SETTLE_MS_MAX;
  const expected = (): number => tally.acknowledged * load.readers;
  while (tally.delivered < expected() && performance.now() < settled) await sleep(20);
  return { ...tally, lost: Math.max(0, expected() - tally.delivered), seconds, ackMs, deliveredMs };
};

process.once('message', (load: Load) => {
  run(load).then(
    (outcome) => process.send?.(outcome, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
