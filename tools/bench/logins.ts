import { LOCAL_TEST_NUMBERS, type Platform } from '../start/platform.js';
import { percentilesMs, rounded, type Figures } from './figures.js';

/** Numbers of those who log in: a range that nobody else of a bench has. */
const RANGE = 9_000_000;
/** People who log in, each again and again on the same device. */
const PEOPLE = 200;
/** Of those so many register at once, before anything is measured. */
const AT_ONCE = 8;

const post = async (url: string, body: object): Promise<Record<string, unknown>> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`A login was answered ${response.status}.`);
  // The door's own answers are objects.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (await response.json()) as Record<string, unknown>;
};

/** People who log in by code, so many a second, until they are told to end. */
export class Logins {
  readonly #tookMs: number[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #devices = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #beganMs = 0;
  #begun = 0;
  #failed = 0;

  constructor(private readonly platform: Platform) {}

  /** Registers everybody. */
  async prepare(): Promise<void> {
    for (let at = 0; at < PEOPLE; at += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.#logIn()));
    this.#tookMs.length = 0;
  }

  /** Begins to log in, so many a second. */
  begin(perS: number): void {
    this.#beganMs = performance.now();
    this.#timer = setInterval(() => this.#begin(), 1_000 / perS);
  }

  /** Ends, and says how long a login took, both of its requests. */
  async end(): Promise<Figures> {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#beganMs) / 1_000;
    await Promise.all(this.#pending);
    return {
      loginsPerS: rounded(this.#tookMs.length / seconds),
      loginsFailed: this.#failed,
      ...percentilesMs('login', this.#tookMs),
    };
  }

  #begin(): void {
    const login = this.#logIn().catch(() => {
      this.#failed += 1;
    });
    this.#pending.add(login);
    void login.then(() => this.#pending.delete(login));
  }

  async #logIn(): Promise<void> {
    const { prefix, code } = LOCAL_TEST_NUMBERS;
    const beganMs = performance.now();
    const phone = `${prefix}${RANGE + ((this.#begun += 1) % PEOPLE)}`;
    const auth = `${this.platform.urls.public}/v1/auth`;
    const { requestId } = await post(`${auth}/codes`, { phone });
    const id = this.#devices.get(phone);
    const device = { name: 'bench', platform: 'node', ...(id === undefined ? {} : { id }) };
    const { deviceId } = await post(`${auth}/tokens`, { requestId, code, name: 'Bench', device });
    this.#devices.set(phone, String(deviceId));
    this.#tookMs.push(performance.now() - beganMs);
  }
}
