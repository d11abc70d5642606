import { reject } from '../rejection.js';
import { isAtLeast, type Role } from './roles.js';

/** The slowest pace: one message an hour (as Discord's six hours, but for a messenger). */
export const SLOW_MODE_S_MAX = 3_600;
/** Messages a minute that a group's limit may be: the times of so many are remembered. */
export const PER_MINUTE_MAX = 600;

const MINUTE_MS = 60_000;

/** When messages were said; only where a pace is set. */
export type Pace = {
  slowModeS: number;
  perMinute: number;
  /** When each member said something last, as far as slow mode still makes them wait. */
  last: Map<string, number>;
  /** When the latest messages were said, oldest first: at most `perMinute`. */
  times: number[];
};

export const noPace = (): Pace => ({ slowModeS: 0, perMinute: 0, last: new Map(), times: [] });

/** A message was said at a time. */
export const paced = (pace: Pace, userId: string, atMs: number): void => {
  if (pace.slowModeS > 0) pace.last.set(userId, atMs);
  if (pace.perMinute === 0) return;
  pace.times.push(atMs);
  if (pace.times.length > pace.perMinute) pace.times.shift();
};

/** A pace was set; what was remembered for another is forgotten. */
export const setPace = (
  pace: Pace,
  { slowModeS, perMinute }: Readonly<{ slowModeS?: number; perMinute?: number }>,
): void => {
  pace.slowModeS = slowModeS ?? pace.slowModeS;
  pace.perMinute = perMinute ?? pace.perMinute;
  if (pace.slowModeS === 0) pace.last.clear();
  pace.times = pace.perMinute === 0 ? [] : pace.times.slice(-pace.perMinute);
};

type Paced = Readonly<{ pace: Pace; members: ReadonlyMap<string, Role> }>;

/** Refuses (`rate_limited`) who says something too soon; moderators and above set the pace. */
export const mustKeepPace = ({ pace, members }: Paced, userId: string, at: string): void => {
  if (isAtLeast(members.get(userId) ?? 'member', 'moderator')) return;
  const now = Date.parse(at);
  const { slowModeS, perMinute, last, times } = pace;
  const soonest = slowModeS === 0 ? 0 : (last.get(userId) ?? -Infinity) + slowModeS * 1_000;
  const [first = -Infinity] = perMinute > 0 && times.length >= perMinute ? times : [];
  const retryAfterMs = Math.max(soonest, first + MINUTE_MS) - now;
  if (retryAfterMs > 0)
    reject('rate_limited', 'This group is slow; wait a little.', { retryAfterMs });
};
