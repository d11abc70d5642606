import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { reject } from '#domain';
import { CodeSender, limitOf, waitMsOf, type LimitName } from '#platform';
import { phoneOf, rangeOf } from './phone.js';

/** Minutes a code is good for (invariant V20). */
const CODE_TTL_MS = 600_000;
/** Guesses at one code that are looked at (abuse 70). */
const TRIES_MAX = 5;
const CODES = 1_000_000;
const CODE_DIGITS = 6;
/** Where `operations` holds codes; losing them asks people to try again. */
const COLLECTION = 'codes';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A code that was sent; neither it nor the number can be read from the document. */
type SentCode = Readonly<{
  hash: string;
  phone: string;
  expiresAtMs: number;
  tries: number;
  /** Of a test number: no message was sent, and nothing is limited. */
  isTest: boolean;
}>;

/** What a guess came to: the proven number, or, with the last wrong guess, the number it was at. */
export type Guess = Readonly<{ proven: string }> | Readonly<{ guessedAt: string | undefined }>;

/** A limit with what it counts by. */
type Counted = readonly [name: LimitName, key: string];

/** The one answer to every code that does not prove a number. */
export const wrongCode = (): never =>
  reject('wrong_code', 'The code is wrong or used up; check it or ask for a new one.');

const WRONG: Guess = { guessedAt: undefined };

/** One-time codes by which a person proves that a phone number is theirs. */
@Injectable()
export class OneTimeCodes {
  readonly #key: Buffer;
  readonly #testCodes: readonly Readonly<{ prefix: string; code: string }>[];

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly sender: CodeSender,
  ) {
    this.#key = ports.keys.derive('codes');
    this.#testCodes = ports.config.TEST_NUMBERS.split(',')
      .map((rule) => rule.trim().split(':'))
      .flatMap(([prefix, code]) => (prefix && code ? [{ prefix, code }] : []));
  }

  /** Sends a code. Does the same for every number, so that nobody learns who has an account. */
  async send(
    written: string,
    address: string,
  ): Promise<Readonly<{ requestId: string; expiresAt: string }>> {
    const phone = phoneOf(written);
    const fixed = this.#testCodes.find(({ prefix }) => phone.startsWith(prefix))?.code;
    if (fixed === undefined)
      await this.#mayDo('Too many codes were asked for; wait before asking again.', [
        ['code-resend', phone],
        ['code-hourly', phone],
        ['code-address', address],
        ['sms-prefix', rangeOf(phone)],
        ['sms-all', ''],
      ]);
    const code = fixed ?? String(this.ports.random.integer(CODES)).padStart(CODE_DIGITS, '0');
    const requestId = this.ports.random.uuid();
    const expiresAtMs = this.ports.clock.now() + CODE_TTL_MS;
    const sent: SentCode = {
      hash: this.#hash(requestId, code).toString('hex'),
      phone: this.#sealed(phone),
      expiresAtMs,
      tries: 0,
      isTest: fixed !== undefined,
    };
    await this.ports.operations.put(COLLECTION, requestId, sent);
    this.ports.timer.after(CODE_TTL_MS, () => void this.#drop(requestId));
    if (fixed === undefined) await this.sender.send(phone, code);
    return { requestId, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /**
   * Looks at a guess. A try is counted before it is looked at (abuse 72). Throws `code_expired`, and
   * `rate_limited` where too much is guessed from this address or at all (abuse 71).
   */
  async redeem(requestId: string, code: string, address: string): Promise<Guess> {
    const sent = await this.ports.operations.increment<SentCode>(COLLECTION, requestId, 'tries');
    if (!sent || sent.tries > TRIES_MAX) return WRONG;
    if (!sent.isTest)
      await this.#mayDo('Too many codes were tried; wait before trying again.', [
        ['guess-address', address],
        ['guess-all', ''],
      ]);
    if (sent.expiresAtMs <= this.ports.clock.now())
      return reject('code_expired', 'This code is too old; ask for a new one.');
    const isRight = timingSafeEqual(Buffer.from(sent.hash, 'hex'), this.#hash(requestId, code));
    if (!isRight) return sent.tries < TRIES_MAX ? WRONG : { guessedAt: this.#opened(sent.phone) };
    const taken = await this.ports.operations.take(COLLECTION, requestId);
    return taken ? { proven: this.#opened(sent.phone) } : WRONG;
  }

  async #mayDo(refusal: string, limits: readonly Counted[]): Promise<void> {
    const { config, limiter } = this.ports;
    for (const [name, key] of limits) {
      const retryAfterMs = await waitMsOf(limiter, limitOf(config, name), key);
      if (retryAfterMs > 0) reject('rate_limited', refusal, { retryAfterMs });
    }
  }

  #hash(requestId: string, code: string): Buffer {
    return createHmac('sha256', this.#key).update(`${requestId}:${code}`).digest();
  }

  #sealed(phone: string): string {
    const iv = this.ports.random.bytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
    const sealed = Buffer.concat([cipher.update(phone, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
  }

  #opened(sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const open = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES));
    open.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const phone = Buffer.concat([open.update(bytes.subarray(IV_BYTES + TAG_BYTES)), open.final()]);
    return phone.toString('utf8');
  }

  async #drop(requestId: string): Promise<void> {
    // A code that cannot be dropped now has expired all the same.
    await this.ports.operations.take(COLLECTION, requestId).catch(() => undefined);
  }
}
