import type {
  Clock,
  Codec,
  Config,
  EventStore,
  Keys,
  Operations,
  Random,
  RateLimiter,
  Timer,
  Views,
} from '#platform';

/** Under this symbol Nest injects the settings. */
export const CONFIG = Symbol('CONFIG');

/** Under this symbol Nest injects all ports at once. */
export const PORTS = Symbol('PORTS');

/** Everything the commands stand on; a process opens it once, a test brings its own. */
export type Ports = Readonly<{
  config: Config;
  store: EventStore;
  codec: Codec;
  keys: Keys;
  views: Views;
  operations: Operations;
  limiter: RateLimiter;
  clock: Clock;
  random: Random;
  timer: Timer;
}>;
