import type { ScriptaStorage } from '#client';
import { between, type Draw } from './chance.js';
import type { Course } from './time.js';

/** A death takes what was stored in at most this time before it (ms). */
const LOST_MS_MAX = 1_000;

type Put = Readonly<{ atMs: number; key: string; value: unknown }>;

/** A device's disk: writes keep their order, and a death takes a tail of the latest. */
export class LossyStorage implements ScriptaStorage {
  readonly #kept = new Map<string, unknown>();
  #young: Put[] = [];

  constructor(private readonly course: Course) {}

  readonly load = (): Promise<ReadonlyMap<string, unknown>> => {
    this.settle();
    return Promise.resolve(new Map(this.#kept));
  };

  readonly put = (key: string, value: unknown): void => {
    const atMs = this.course.nowMs;
    this.#young.push({ atMs, key, value: structuredClone(value) });
    this.settle(atMs - LOST_MS_MAX);
  };

  readonly flush = (): Promise<void> => {
    this.settle();
    return Promise.resolve();
  };

  /** What was stored until then is safe. */
  settle(untilMs = Number.POSITIVE_INFINITY): void {
    let first = this.#young[0];
    for (; first && first.atMs <= untilMs; first = this.#young[0]) {
      const { key, value } = first;
      this.#young.shift();
      if (value === undefined) this.#kept.delete(key);
      else this.#kept.set(key, value);
    }
  }

  /** Its device dies: of the latest writes a beginning stays. */
  lose(draw: Draw): number {
    this.settle(this.course.nowMs - between(draw, 0, LOST_MS_MAX));
    const kept = between(draw, 0, this.#young.length + 1);
    const lost = this.#young.length - kept;
    this.#young = this.#young.slice(0, kept);
    this.settle();
    return lost;
  }
}
