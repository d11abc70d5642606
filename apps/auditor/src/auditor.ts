import { Injectable, Logger } from '@nestjs/common';
import type { HeardEvent, Recorded } from '#domain';
import type { Ports } from '#commands';
import {
  SPAN_NODE_DEAD_MS,
  SPAN_NODES,
  SPANS,
  waitOut,
  type Cancel,
  type LogEvent,
  type Span,
} from '#platform';
import { Devices, newDevice, type Alarm, type Totals } from './devices.js';
import { Expectation } from './expectation.js';
import { FactWindow } from './fact-window.js';
import { Lateness } from './lateness.js';
import { Stays } from './stays.js';
import { addTally, wordsOf, type Tally } from './tally.js';

/** Streams with facts that devices must be shown. */
const HEARD_PREFIXES = ['conversation-', 'audience-'];
/** Facts that move people; the others are only counted, and need not be decoded. */
const MOVES: ReadonlySet<string> = new Set([
  'ConversationStarted',
  'MembersAdded',
  'MemberRemoved',
  'MemberLeft',
  'RoleChanged',
  'BroadcastFollowed',
  'BroadcastUnfollowed',
]);
/** Events read at once. */
const PAGE_EVENTS = 500;
/** Without a look that succeeded for so long it is not ready (ms). */
const STALE_MS = 15_000;
/** The log is asked this often whether it is still the same, in ticks. */
const VERIFY_TICKS = 30;
/** Between two looks at the log and the spans (ms): with a second for writing them, well within five. */
const TICK_MS = 1_000;
/** Spans of one look; with more, the rest comes at once after. */
const SPANS_PER_LOOK = 5_000;
/** What of a span is compared: the stretches are for the ledger. */
const SPAN_FIELDS = [
  'userId',
  'deviceId',
  'node',
  'openedAt',
  'closedAt',
  'acknowledged',
  'live',
  'seen',
  'at',
];
/** Nodes' clocks differ: a look goes back a little before the last one (ms). */
const OVERLAP_MS = 2_000;
/** Spans that changed so long before the start are not looked at (ms). */
const FIRST_LOOK_MS = 3_600_000;
/** Comparisons of one tick that need the history, which the product reads too. */
const HISTORY_READS_PER_TICK = 50;
/** Alarms written to the log in one minute: one device that lies does not flood it. */
const ALARM_LINES_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
/** Old spans are looked for this often (ms). */
const CLEAR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** What the auditor publishes. */
export type Report = Readonly<{
  status: 'clean' | 'alarm';
  since: string;
  /** The log was followed up to here, and the spans up to then. */
  position: number;
  spansAt: string;
  facts: number;
  devices: number;
  compared: number;
  /** Devices whose client does not say what it has shown. */
  unaudited: number;
  /** Comparisons that wait, and devices that had missed so much that they were taken at their word. */
  waiting: number;
  adopted: number;
  /** Devices that owe an acknowledgement now, for more than 3 s. */
  late: number;
  /** Devices with whom something is wrong now. */
  wrong: number;
  totals: Totals;
  alarms: readonly Alarm[];
  held: Readonly<{ facts: number; places: number; rssMiB: number }>;
}>;

/**
 * Follows the log beside the product and compares what each device must have been shown with what
 * its SDK says it was: loss, repetition and disorder, told within seconds. It changes nothing.
 */
@Injectable()
export class Auditor {
  readonly #logger = new Logger('auditor');
  readonly #since: string;
  readonly #stays: Stays;
  readonly #devices: Devices;
  readonly #lateness: Lateness;
  #window = new FactWindow(-1);
  #expectation: Expectation;
  #position = -1;
  #facts = 0;
  #compared = 0;
  #adopted = 0;
  /** Everything up to here was in the log when it was asked, and is in the window. */
  #coveredTo = -1;
  readonly #waiting = new Map<string, Span>();
  readonly #silent = new Set<string>();
  #spansAtMs: number;
  #alive: ReadonlySet<string> = new Set();
  #lines = 0;
  #ticks = 0;
  #clearedAtMs = -Infinity;
  /** When both were last read to their end (monotonic ms). */
  #lookedAtMs = -Infinity;
  #ticking: Promise<void> | undefined;
  #stops: readonly Cancel[] = [];
  #isStopped = false;

  constructor(private readonly ports: Ports) {
    this.#since = ports.clock.iso();
    this.#spansAtMs = ports.clock.now() - FIRST_LOOK_MS;
    this.#stays = new Stays(ports.views);
    this.#expectation = new Expectation(this.#window, this.#stays, ports.views);
    this.#devices = new Devices((alarm) => this.#raise(alarm));
    this.#lateness = new Lateness(this.#devices, () => this.#expectation);
  }

  /** Whether it follows the log and the spans: its last look succeeded, a moment ago. */
  get isReady(): boolean {
    return this.ports.clock.monotonic() - this.#lookedAtMs < STALE_MS;
  }

  /** Begins at the log's end; what came before is asked of the history when a device needs it. */
  async start(): Promise<void> {
    const { store, timer } = this.ports;
    const log = (message: string) => this.#logger.warn(message);
    const waiting = { timer, log, isStopped: () => this.#isStopped };
    const head = await waitOut(waiting, () => store.head(HEARD_PREFIXES));
    this.#begin(head?.position ?? -1);
    this.#stops = [
      timer.every(TICK_MS, () => this.#tick()),
      timer.every(MINUTE_MS, () => {
        this.#lines = 0;
      }),
    ];
    this.#lookedAtMs = this.ports.clock.monotonic();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const stop of this.#stops) stop();
    await this.#ticking;
  }

  report(): Report {
    const { wrong, totals, alarms, size } = this.#devices;
    return {
      status: wrong === 0 ? 'clean' : 'alarm',
      since: this.#since,
      position: this.#position,
      spansAt: new Date(this.#spansAtMs).toISOString(),
      facts: this.#facts,
      devices: size,
      compared: this.#compared,
      unaudited: this.#silent.size,
      waiting: this.#waiting.size,
      adopted: this.#adopted,
      late: this.#lateness.count,
      wrong,
      totals,
      alarms,
      held: {
        facts: this.#window.size,
        places: this.#stays.size,
        rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
      },
    };
  }

  #begin(position: number): void {
    this.#position = position;
    this.#coveredTo = position;
    this.#window = new FactWindow(position);
    this.#expectation = new Expectation(this.#window, this.#stays, this.ports.views);
  }

  /**
   * Reads what was said since the last tick. Read by the page an event costs half of what it costs
   * by itself, as a subscription has it, and nobody waits here for less than a tick.
   */
  async #read(): Promise<void> {
    // What was acknowledged before the log was asked is in the log.
    const asked = Math.max(-1, ...[...this.#waiting.values()].map(({ seen }) => seen?.upTo ?? -1));
    for (;;) {
      const after = this.#position < 0 ? undefined : this.#position;
      const page = await this.ports.store.readAll(HEARD_PREFIXES, after, PAGE_EVENTS);
      for (const event of page) await this.#take(event);
      this.#position = page.at(-1)?.position ?? this.#position;
      if (page.length < PAGE_EVENTS) break;
    }
    this.#coveredTo = Math.max(this.#coveredTo, this.#position, asked);
    this.#lookedAtMs = this.ports.clock.monotonic();
  }

  /** A log that ends before what was read was restored from a backup: all that is known is void. */
  async #verify(): Promise<void> {
    this.#ticks += 1;
    if (this.#ticks % VERIFY_TICKS !== 0) return;
    const head = (await this.ports.store.head(HEARD_PREFIXES))?.position ?? -1;
    if (head >= this.#position) return;
    this.#logger.warn(`The log ends at ${head}, before ${this.#position}: it was restored.`);
    this.#devices.forget();
    this.#stays.forget();
    this.#waiting.clear();
    this.#begin(head);
  }

  async #take(event: LogEvent): Promise<void> {
    const { id, stream, position, type } = event;
    if (MOVES.has(type)) await this.#move(event);
    if (!stream.startsWith('conversation-')) return;
    this.#window.add(stream.slice('conversation-'.length), position, id);
    this.#facts += 1;
  }

  async #move(event: LogEvent): Promise<void> {
    try {
      const moved = await this.ports.codec.decode(event, false);
      // Only streams of facts are followed.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      this.#stays.moved(moved as Recorded<HeardEvent>);
    } catch (error) {
      this.#logger.error(`${event.id} at ${event.position} cannot be read: ${String(error)}`);
    }
  }

  #tick(): void {
    this.#ticking ??= this.#audit()
      .catch((error: unknown) => this.#logger.warn(`Not audited this time: ${String(error)}`))
      .finally(() => {
        this.#ticking = undefined;
      });
  }

  async #audit(): Promise<void> {
    await this.#look();
    await this.#read();
    await this.#verify();
    let reads = HISTORY_READS_PER_TICK;
    for (const [key, span] of this.#waiting) {
      if (!span.seen || span.seen.upTo > this.#coveredTo || this.#isStopped) continue;
      const from = this.#beginOf(span);
      if (!this.#expectation.isAtHand(from) && (reads -= 1) < 0) continue;
      const isDone = await this.#compare(span, from, span.seen);
      if (isDone && this.#waiting.get(key) === span) this.#waiting.delete(key);
    }
    await this.#lateness.look({
      nowMs: this.ports.clock.monotonic(),
      at: this.ports.clock.iso(),
      position: this.#position,
      alive: this.#alive,
    });
    await this.#clear();
  }

  /** Takes the spans that changed since the last look. */
  async #look(): Promise<void> {
    const { operations, clock } = this.ports;
    const now = clock.now();
    const beats = await operations.find<object>(SPAN_NODES, {
      filter: { at: { $gt: now - SPAN_NODE_DEAD_MS } },
    });
    this.#alive = new Set(beats.map(({ _id }) => _id));
    for (let overlap = OVERLAP_MS; ; overlap = 0) {
      const spans = await operations.find<Span>(SPANS, {
        filter: { at: { $gt: this.#spansAtMs - overlap } },
        sort: { at: 1 },
        limit: SPANS_PER_LOOK,
        fields: SPAN_FIELDS,
      });
      for (const span of spans) this.#note(span);
      this.#spansAtMs = Math.max(this.#spansAtMs, spans.at(-1)?.at ?? 0);
      if (spans.length < SPANS_PER_LOOK) return;
    }
  }

  #note(span: Span): void {
    const key = `${span.userId}:${span.deviceId}`;
    const known = this.#devices.get(span);
    if (known && known.span.openedAt <= span.openedAt) known.span = span;
    if (!span.seen) {
      if (!known) this.#silent.add(key);
      return;
    }
    this.#silent.delete(key);
    const waiting = this.#waiting.get(key) ?? span;
    const isOld = known?.from === Number(span.seen.from) && known.upTo >= span.seen.upTo;
    if (!isOld && waiting.at <= span.at) this.#waiting.set(key, span);
  }

  /** From where a device has to be compared: where it was last, in the same run of its SDK. */
  #beginOf(span: Span): number {
    const from = Number(span.seen?.from ?? -1);
    const known = this.#devices.get(span);
    const goesOn = known?.from === from && known.upTo <= (span.seen?.upTo ?? -1);
    return goesOn ? known.upTo : from;
  }

  async #compare(span: Span, begin: number, seen: NonNullable<Span['seen']>): Promise<boolean> {
    const tally = await this.#expectation.of(span.userId, begin, seen.upTo);
    if (tally === 'later') return false;
    const from = Number(seen.from);
    const known = this.#devices.get(span);
    const goesOn = known?.from === from && known.upTo === begin;
    const before: Tally = goesOn ? known.expected : { count: 0, words: [0, 0, 0, 0] };
    const device = goesOn ? known : newDevice(span, from, before);
    if (tally === 'too-much') {
      this.#adopted += 1;
      device.expected = { count: seen.count, words: wordsOf(seen.ids) };
    } else addTally(device.expected, tally.count, tally.words);
    device.upTo = seen.upTo;
    device.span = span;
    this.#compared += 1;
    this.#devices.compare(device, this.ports.clock.iso());
    this.#devices.put(device);
    return true;
  }

  /** Spans are kept for a while, and then not. */
  async #clear(): Promise<void> {
    const { operations, clock, config } = this.ports;
    if (clock.monotonic() - this.#clearedAtMs < CLEAR_MS) return;
    this.#clearedAtMs = clock.monotonic();
    const old = { at: { $lt: clock.now() - config.SPANS_KEEP_DAYS * DAY_MS } };
    for (const collection of [SPANS, SPAN_NODES]) await operations.clear(collection, old);
  }

  #raise(alarm: Alarm): void {
    this.#lines += 1;
    if (this.#lines <= ALARM_LINES_PER_MINUTE) this.#logger.error(`ALARM ${JSON.stringify(alarm)}`);
  }
}
