import { createClient, defineScript } from 'redis';
import { RateLimiter, type Limit } from './rate-limiter.js';

/** A store that has not answered by then counts as down (ms): a limit must cost less than its act. */
const ANSWER_MS_MAX = 250;
/** Longest pause before the connection is tried again (ms). */
const RECONNECT_MS_MAX = 2_000;
/** What a closed limit answers while nobody can count (ms). */
const CLOSED_WAIT_MS = 1_000;

/**
 * A token bucket by the store's own clock, in one step. Keeps milliseconds and tokens in a hash that
 * goes once the bucket would be full again.
 */
const BUCKET = `
local burst, fill = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local passed = math.max(0, now - (tonumber(kept[2]) or now))
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + passed / fill * burst)
local wait = 0
if tokens < 1 then wait = math.ceil((1 - tokens) / burst * fill) else tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(fill) + 1000)
return wait`;

/** The moments of the last acts in a list, as many as the burst: the oldest must be past. */
const STRICT = `
local burst, fill = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local earliest = redis.call('LINDEX', KEYS[1], -burst)
if earliest and earliest + fill > now then return math.ceil(earliest + fill - now) end
redis.call('RPUSH', KEYS[1], string.format('%.3f', now))
redis.call('LTRIM', KEYS[1], -burst, -1)
redis.call('PEXPIRE', KEYS[1], math.ceil(fill) + 1000)
return 0`;

const taking = (script: string) =>
  defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: script,
    parseCommand: (parser, key: string, burst: number, fillMs: number) => {
      parser.pushKey(key);
      parser.push(String(burst), String(fillMs));
    },
    transformReply: (reply: unknown) => Number(reply),
  });

const clientOf = (url: string) =>
  createClient({
    url,
    scripts: { takeToken: taking(BUCKET), takeMoment: taking(STRICT) },
    // Down is an answer too, and a better one than waiting.
    disableOfflineQueue: true,
    commandOptions: { timeout: ANSWER_MS_MAX },
    socket: {
      connectTimeout: RECONNECT_MS_MAX,
      reconnectStrategy: (retries) => Math.min(RECONNECT_MS_MAX, 50 * 2 ** Math.min(retries, 10)),
    },
  });

/** Where a limiter by Redis stands on, and whom it tells that the store is down. */
export type RedisLimiterOptions = Readonly<{
  url: string;
  /** Counts in this process what may go on while the store is down. */
  local: RateLimiter;
  log: (message: string) => void;
}>;

/**
 * Buckets in Redis, which all processes share. While it is down, open limits are counted by each
 * process for itself and closed ones let nothing through (finding R13).
 */
export class RedisRateLimiter extends RateLimiter {
  readonly #client: ReturnType<typeof clientOf>;
  readonly #local: RateLimiter;
  #isDown = false;

  constructor({ url, local, log }: RedisLimiterOptions) {
    super();
    this.#local = local;
    this.#client = clientOf(url);
    this.#client.on('error', (error: unknown) => {
      if (!this.#isDown) log(`Redis is down, limits are counted per process: ${String(error)}`);
      this.#isDown = true;
    });
    this.#client.on('ready', () => {
      this.#isDown = false;
    });
    this.#client.connect().catch(() => {
      // Told by `error`; the client goes on trying.
    });
  }

  override async take(limit: Limit, key: string): Promise<number> {
    const { name, burst, fillS, isStrict, onStoreDown } = limit;
    const at = `${isStrict ? 'strict' : 'limit'}:${name}:${key}`;
    try {
      return await (isStrict
        ? this.#client.takeMoment(at, burst, fillS * 1_000)
        : this.#client.takeToken(at, burst, fillS * 1_000));
    } catch {
      return onStoreDown === 'closed' ? CLOSED_WAIT_MS : this.#local.take(limit, key);
    }
  }

  /** Lets go of the connection. */
  close(): void {
    this.#client.destroy();
  }
}
