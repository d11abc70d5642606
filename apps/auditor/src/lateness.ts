import type { DeviceRecord, Devices } from './devices.js';
import type { Expectation } from './expectation.js';

/** An acknowledgement that is owed for so long is late, and after so long overdue (ms). */
const LATE_MS = 3_000;
const OVERDUE_MS = 60_000;
/** Devices looked through in one tick; the others have their turn in the next. */
const DEVICES_PER_TICK = 4_000;

/** How things stand at a tick. */
export type Moment = Readonly<{
  nowMs: number;
  at: string;
  /** Where the auditor stands in the log. */
  position: number;
  /** Nodes that beat. */
  alive: ReadonlySet<string>;
}>;

/** Looks for devices that are told things as they happen, and do not acknowledge. */
export class Lateness {
  /** Where the log stood at the last ticks: what is owed is what was there 3 s ago. */
  readonly #places: [atMs: number, position: number][] = [];
  #next = 0;
  #count = 0;

  constructor(
    private readonly devices: Devices,
    private readonly expectation: () => Expectation,
  ) {}

  /** Devices that are late now. */
  get count(): number {
    return this.#count;
  }

  /** Looks at the next devices; those overdue raise an alarm. */
  async look(moment: Moment): Promise<void> {
    const horizon = this.#horizon(moment);
    if (horizon === undefined) return;
    const all = [...this.devices.all()];
    const first = this.#next < all.length ? this.#next : 0;
    this.#next = first + DEVICES_PER_TICK;
    for (const device of all.slice(first, this.#next)) await this.#judge(device, moment, horizon);
    this.#count = all.filter(({ lateSinceMs }) => lateSinceMs !== undefined).length;
  }

  #horizon({ nowMs, position }: Moment): number | undefined {
    const places = this.#places;
    places.push([nowMs, position]);
    while ((places[1]?.[0] ?? nowMs) <= nowMs - LATE_MS) places.shift();
    const [sinceMs, horizon] = places[0] ?? [nowMs, -1];
    return sinceMs > nowMs - LATE_MS ? undefined : horizon;
  }

  async #judge(device: DeviceRecord, { nowMs, at, alive }: Moment, horizon: number): Promise<void> {
    const { live, closedAt, node, acknowledged } = device.span;
    const mayOwe = live && closedAt === undefined && alive.has(node) && acknowledged < horizon;
    const isLate = mayOwe && (await this.#owes(device, horizon));
    const hasMoved = device.owesAfter !== acknowledged;
    device.owesAfter = acknowledged;
    const sinceMs = hasMoved ? nowMs : (device.lateSinceMs ?? nowMs);
    device.lateSinceMs = isLate ? sinceMs : undefined;
    const isOverdue = isLate && nowMs - sinceMs > OVERDUE_MS;
    this.devices.find(device, 'overdue', isOverdue ? 1 : 0, at);
  }

  async #owes({ span: { userId, acknowledged } }: DeviceRecord, to: number): Promise<boolean> {
    const expectation = this.expectation();
    if (!expectation.isAtHand(acknowledged)) return false;
    const tally = await expectation.of(userId, acknowledged, to);
    return typeof tally === 'object' && tally.count > 0;
  }
}
