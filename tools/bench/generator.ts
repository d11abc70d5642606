import { Device, type DevicePort, type Said } from './device.js';
import { comeBack } from './herd.js';
import type { Load, Order, Outcome, Report } from './load.js';

/** As the SDK does: what was shown is acknowledged at least this often (ms). */
const ACK_MS = 100;
/** Deliveries under way may still come for this long after the end (ms). */
const SETTLE_MS_MAX = 10_000;
const LOOK_MS = 20;
/** Handshakes under way at once. */
const HANDSHAKES_AT_ONCE = 32;
/** Lost connections that are told one by one. */
const TOLD_MAX = 5;
/** How often an open loop looks for what is due (ms). */
const DUE_MS = 1;

const tell = (report: Report): void => {
  process.send?.(report);
};

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** All devices of a load: what they say, and how it arrives. */
class Crowd {
  readonly #load: Load;
  readonly #devices: Device[] = [];
  readonly #readers = new Map<string, Device[]>();
  readonly #onTheirWay = new Map<string, Said>();
  /** Acknowledged places by conversation: the first and the last. */
  readonly #heads = new Map<string, { first: number; head: number }>();
  readonly #queues = new Map<Device, number[]>();
  readonly #turns = new Map<Device, number>();
  readonly #found = {
    acknowledged: 0,
    delivered: 0,
    refused: 0,
    retried: 0,
    behind: 0,
    closed: 0,
  };
  readonly #ackMs: number[] = [];
  readonly #deliveredMs: number[] = [];
  #isMeasuring = false;
  #isOver = false;

  constructor(load: Load) {
    this.#load = load;
  }

  async connect(): Promise<void> {
    const { seats, socketUrl } = this.#load;
    const queue = seats.values();
    const work = async (): Promise<void> => {
      for (const seat of queue) {
        const device = new Device(socketUrl, seat, this.#port());
        await device.enter();
        this.#devices.push(device);
        for (const conversation of seat.conversations) {
          const readers = this.#readers.get(conversation);
          if (readers) readers.push(device);
          else this.#readers.set(conversation, [device]);
        }
      }
    };
    await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, work));
    setInterval(() => {
      for (const device of this.#devices) device.acknowledge();
    }, ACK_MS);
  }

  /** Waits until every connection is lost, and comes back, spread over some seconds. */
  async back(spreadS: number): Promise<Report> {
    while (this.#found.closed < this.#devices.length) await sleep(LOOK_MS);
    const { socketUrl } = this.#load;
    return { kind: 'back', back: await comeBack(this.#devices, socketUrl, spreadS) };
  }

  async talk(): Promise<Outcome> {
    const { ratePerS, warmUpS, seconds } = this.#load;
    const beginsMs = performance.now() + warmUpS * 1_000;
    const endsMs = beginsMs + seconds * 1_000;
    if (ratePerS === undefined) for (const device of this.#devices) this.#next(device);
    else void this.#keepTime(ratePerS, endsMs);
    await sleep(beginsMs - performance.now());
    this.#isMeasuring = true;
    tell({ kind: 'began' });
    await sleep(endsMs - performance.now());
    this.#isMeasuring = false;
    this.#isOver = true;
    tell({ kind: 'ended' });
    const settledMs = performance.now() + SETTLE_MS_MAX;
    while (this.#onTheirWay.size > 0 && performance.now() < settledMs) await sleep(LOOK_MS);
    // One that came twice would come now.
    await sleep(5 * LOOK_MS);
    return this.#outcome();
  }

  #outcome(): Outcome {
    const outcome = { lost: 0, duplicated: 0, misordered: 0 };
    for (const { arrivals, seat } of this.#devices) {
      outcome.duplicated += arrivals.duplicated;
      outcome.misordered += arrivals.misordered;
      for (const conversation of seat.conversations) {
        const { first, head } = this.#heads.get(conversation) ?? { first: 0, head: -1 };
        outcome.lost += arrivals.lost(conversation, first, head);
      }
    }
    return { ...this.#found, ...outcome, ackMs: this.#ackMs, deliveredMs: this.#deliveredMs };
  }

  /** Sends at times fixed beforehand, however the platform takes it. */
  async #keepTime(ratePerS: number, endsMs: number): Promise<void> {
    const beganMs = performance.now();
    for (let sent = 0; ; await sleep(DUE_MS)) {
      const dueMs = () => beganMs + (sent * 1_000) / ratePerS;
      for (; dueMs() <= performance.now() && dueMs() < endsMs; sent += 1) {
        const device = this.#devices[sent % this.#devices.length];
        if (device) this.#queue(device, dueMs());
      }
      if (dueMs() >= endsMs) return;
    }
  }

  /** A device has one message under way at a time, as the SDK has; the intended time stands. */
  #queue(device: Device, intendedMs: number): void {
    const queue = this.#queues.get(device);
    if (queue) queue.push(intendedMs);
    else {
      this.#queues.set(device, []);
      this.#say(device, intendedMs);
    }
  }

  #say(device: Device, intendedMs: number): void {
    const { conversations } = device.seat;
    const turn = this.#turns.get(device) ?? 0;
    this.#turns.set(device, turn + 1);
    const conversation = conversations[turn % conversations.length] ?? '';
    const readers = (this.#readers.get(conversation)?.length ?? 1) - 1;
    const said = device.say(conversation, this.#load.text, intendedMs, readers);
    this.#onTheirWay.set(said.id, said);
  }

  #next(device: Device): void {
    if (this.#isOver && this.#load.ratePerS === undefined) return;
    if (this.#load.ratePerS === undefined) return this.#say(device, performance.now());
    const intendedMs = this.#queues.get(device)?.shift();
    if (intendedMs === undefined) this.#queues.delete(device);
    else this.#say(device, intendedMs);
  }

  #port(): DevicePort {
    const count = (what: 'retried' | 'behind') => () => {
      this.#found[what] += 1;
    };
    return {
      acknowledged: (said, seq) => this.#acknowledged(said, seq),
      delivered: (clientId, to) => this.#delivered(clientId, to),
      refused: (said, code) => {
        this.#found.refused += 1;
        this.#onTheirWay.delete(said.id);
        process.stderr.write(`refused: ${code}\n`);
      },
      retried: count('retried'),
      behind: count('behind'),
      closed: (reason) => {
        this.#found.closed += 1;
        // All at once are lost on purpose.
        if (this.#found.closed <= TOLD_MAX)
          process.stderr.write(`a connection was lost: ${reason}\n`);
      },
    };
  }

  #acknowledged(said: Said, seq: number): void {
    said.isAcknowledged = true;
    const known = this.#heads.get(said.conversationId);
    if (!known) this.#heads.set(said.conversationId, { first: seq, head: seq });
    else {
      known.first = Math.min(known.first, seq);
      known.head = Math.max(known.head, seq);
    }
    if (this.#isMeasuring) {
      this.#found.acknowledged += 1;
      this.#ackMs.push(performance.now() - said.intendedMs);
    }
    if (this.#load.ratePerS !== undefined) this.#next(said.by);
    this.#settle(said);
  }

  #delivered(clientId: string, to: Device): void {
    const said = this.#onTheirWay.get(clientId);
    if (!said || said.by === to) return;
    said.missing -= 1;
    if (this.#isMeasuring) {
      this.#found.delivered += 1;
      this.#deliveredMs.push(performance.now() - said.intendedMs);
    }
    this.#settle(said);
  }

  #settle(said: Said): void {
    if (!said.isAcknowledged || said.missing > 0) return;
    this.#onTheirWay.delete(said.id);
    if (this.#load.ratePerS === undefined) this.#next(said.by);
  }
}

let crowd: Crowd | undefined;

const obey = async (order: Order): Promise<void> => {
  if (order.kind === 'connect') {
    crowd = new Crowd(order.load);
    await crowd.connect();
    tell({ kind: 'connected' });
  } else if (order.kind === 'come-back' && crowd) tell(await crowd.back(order.spreadS));
  else if (crowd) tell({ kind: 'outcome', outcome: await crowd.talk() });
};

process.on('message', (order: Order) => {
  obey(order).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0));
