import type { Span } from '#platform';
import type { Tally } from './tally.js';
import { hexOf } from './tally.js';

/** Devices remembered, about 500 bytes each; those heard of longest ago are compared anew. */
const DEVICES_MAX = 50_000;
/** Alarms kept to be asked for. */
const ALARMS_MAX = 100;

/** What can be wrong. `overdue`: told as it happens, and does not acknowledge for a minute. */
export type Wrong = 'lost' | 'duplicated' | 'misordered' | 'overdue';

/** Something that should never be. */
export type Alarm = Readonly<{
  kind: Wrong;
  count: number;
  userId: string;
  deviceId: string;
  connection: string;
  /** The stretch of the log that was compared: after `from`, up to `upTo`. */
  from: number;
  upTo: number;
  expected?: Readonly<{ count: number; ids: string }>;
  seen?: Readonly<{ count: number; ids: string }>;
  at: string;
}>;

/** What is known of a device: how its last comparison ended, and where the next one begins. */
export type DeviceRecord = {
  span: Span;
  /** The run of its SDK, by the position where it began to count. */
  from: number;
  upTo: number;
  /** What it must have been shown since `from`. */
  expected: Tally;
  wrong: Record<Wrong, number>;
  /** Since when it owes an acknowledgement (ms, monotonic). */
  lateSinceMs: number | undefined;
  /** Where it stood then: one that gets on, however slowly, is not stuck. */
  owesAfter: number;
};

/** What is published of all devices together. */
export type Totals = Readonly<Record<Wrong, number> & { healed: number }>;

/** The devices that were compared, what was wrong with them, and the alarms that it raised. */
export class Devices {
  readonly #devices = new Map<string, DeviceRecord>();
  readonly #totals = { lost: 0, duplicated: 0, misordered: 0, overdue: 0, healed: 0 };
  readonly alarms: Alarm[] = [];

  /** `raised` hears of each alarm. */
  constructor(private readonly raised: (alarm: Alarm) => void) {}

  get size(): number {
    return this.#devices.size;
  }

  /** Ever since the start. */
  get totals(): Totals {
    return this.#totals;
  }

  /** Devices with whom something is wrong now. */
  get wrong(): number {
    let wrong = 0;
    for (const device of this.#devices.values()) if (isWrong(device)) wrong += 1;
    return wrong;
  }

  all(): IterableIterator<DeviceRecord> {
    return this.#devices.values();
  }

  get(span: Span): DeviceRecord | undefined {
    return this.#devices.get(keyOf(span));
  }

  /** Keeps how far a device was compared. */
  put(device: DeviceRecord): void {
    const key = keyOf(device.span);
    this.#devices.delete(key);
    this.#devices.set(key, device);
    if (this.#devices.size <= DEVICES_MAX) return;
    const [oldest] = this.#devices.keys();
    if (oldest !== undefined) this.#devices.delete(oldest);
  }

  /** Nothing that is known of them holds any more. */
  forget(): void {
    this.#devices.clear();
  }

  /** Compares what was seen with what is expected, and raises what is new of it. */
  compare(device: DeviceRecord, at: string): void {
    const { expected, span } = device;
    const { seen } = span;
    if (!seen) return;
    const missing = expected.count - seen.count;
    // As many, but not the same: one is another.
    const isOther = missing === 0 && seen.ids !== hexOf(expected) ? 1 : 0;
    this.find(device, 'lost', Math.max(missing, isOther), at);
    this.find(device, 'duplicated', Math.max(-missing, isOther), at);
    this.find(device, 'misordered', seen.disorder, at);
  }

  /** How much of something is wrong with a device now. */
  find(device: DeviceRecord, kind: Wrong, count: number, at: string): void {
    const before = device.wrong[kind];
    device.wrong[kind] = count;
    if (count < before) this.#totals.healed += before - count;
    if (count <= before) return;
    this.#totals[kind] += count - before;
    const { span, from, upTo, expected } = device;
    const { _id: connection, userId, deviceId, seen } = span;
    const alarm: Alarm = {
      kind,
      count,
      userId,
      deviceId,
      connection,
      from,
      upTo,
      expected: { count: expected.count, ids: hexOf(expected) },
      ...(seen ? { seen: { count: seen.count, ids: seen.ids } } : {}),
      at,
    };
    this.alarms.push(alarm);
    if (this.alarms.length > ALARMS_MAX) this.alarms.shift();
    this.raised(alarm);
  }
}

/** A device with nothing wrong yet. */
export const newDevice = (span: Span, from: number, expected: Tally): DeviceRecord => ({
  span,
  from,
  upTo: from,
  expected,
  wrong: { lost: 0, duplicated: 0, misordered: 0, overdue: 0 },
  lateSinceMs: undefined,
  owesAfter: -1,
});

/** Whether something is wrong with a device now. */
const isWrong = ({ wrong }: DeviceRecord): boolean =>
  wrong.lost + wrong.duplicated + wrong.misordered + wrong.overdue > 0;

const keyOf = ({ userId, deviceId }: Span): string => `${userId}:${deviceId}`;
