/** Calls off something that was to happen. */
export type Cancel = () => void;

/**
 * Time and chance, the only things the SDK takes from where it runs; a simulation brings its own.
 */
export type Runtime = Readonly<{
  /** Milliseconds since the Unix epoch. */
  now: () => number;
  /** Calls once after `ms`. */
  after: (ms: number, call: () => void) => Cancel;
  /** Fills with random bytes. */
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}>;

/** The clock, timers and chance of a browser or of Node. */
export const systemRuntime: Runtime = {
  now: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  random: (bytes) => crypto.getRandomValues(bytes),
};

/** Resolves after `ms`. */
export const sleep = ({ after }: Runtime, ms: number): Promise<void> =>
  new Promise((resolve) => {
    after(ms, resolve);
  });

const uuidOf = (bytes: Uint8Array<ArrayBuffer>, version: number): string => {
  const view = new DataView(bytes.buffer);
  view.setUint8(6, (view.getUint8(6) & 0x0f) | (version << 4));
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(0, -1)
    .map((from, index) => hex.slice(from, cuts[index + 1]))
    .join('-');
};

/** A UUIDv7 (RFC 9562, section 5.7) for a command: ids of one device sort by time. */
export const uuid7 = ({ now, random }: Runtime): string => {
  const bytes = random(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  const ms = now();
  view.setUint16(0, Math.floor(ms / 2 ** 32));
  view.setUint32(2, ms % 2 ** 32);
  return uuidOf(bytes, 7);
};

/** A UUIDv4 for a conversation: its first digits are even, so that the log splits by them. */
export const uuid4 = ({ random }: Runtime): string => uuidOf(random(new Uint8Array(16)), 4);

/** First and longest pause of a backoff. */
const PAUSE_MS_MIN = 200;
const PAUSE_MS_MAX = 30_000;

/** Full jitter: anything up to a bound that doubles with each attempt, so that no herd forms. */
export const pauseMs = ({ random }: Runtime, attempt: number, maxMs = PAUSE_MS_MAX): number => {
  const [drawn = 0] = new Uint32Array(random(new Uint8Array(4)).buffer);
  return Math.floor((drawn / 2 ** 32) * Math.min(maxMs, PAUSE_MS_MIN * 2 ** attempt));
};
