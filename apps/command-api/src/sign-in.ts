import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Claims, CONFIG, Streams, type Accepted } from '#commands';
import { LinkDevice, RegisterUser, reject, user, type Command } from '#domain';
import {
  AccessTokens,
  Clock,
  CodeSender,
  eventIdOf,
  Keys,
  Operations,
  Random,
  RateLimiter,
  Timer,
  uuidOf,
  type Config,
  type Limit,
  type Who,
} from '#platform';
import { phoneOf } from './phone.js';

/** Minutes a code is good for (invariant V20). */
const CODE_TTL_MS = 600_000;
/** Guesses at one code that are looked at (abuse 70). */
const TRIES_MAX = 5;
const CODES = 1_000_000;
const CODE_DIGITS = 6;
/** Codes for one number: one in 30 s, five in an hour (abuse 74). */
const LIMITS: readonly Limit[] = [
  { name: 'code-resend', burst: 1, perSecond: 1 / 30, onStoreDown: 'closed' },
  { name: 'code-hourly', burst: 5, perSecond: 5 / 3_600, onStoreDown: 'closed' },
];
/** The collection of the database `operations` that holds codes; losing it asks people to try again. */
const COLLECTION = 'codes';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A code that was sent; neither it nor the number can be read from the document. */
type SentCode = Readonly<{ hash: string; phone: string; expiresAtMs: number; tries: number }>;

/** What a person says about the device they log in on. */
export type DeviceInput = Readonly<{ id?: string | undefined; name: string; platform: string }>;

/** A log-in that was completed. */
export type SignedIn = Who &
  Readonly<{ accessToken: string; expiresAt: string; registered: boolean }>;

const wrongCode = (): never =>
  reject('wrong_code', 'The code is wrong or used up; check it or ask for a new one.');

/** Registering and logging in by phone number and one-time code; the two are one act. */
@Injectable()
export class SignIn {
  readonly #key: Buffer;
  readonly #testCodes: readonly Readonly<{ prefix: string; code: string }>[];

  constructor(
    keys: Keys,
    private readonly operations: Operations,
    private readonly sender: CodeSender,
    private readonly limiter: RateLimiter,
    private readonly tokens: AccessTokens,
    private readonly claims: Claims,
    private readonly streams: Streams,
    private readonly bus: CommandBus,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly timer: Timer,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.#key = keys.derive('codes');
    this.#testCodes = config.TEST_NUMBERS.split(',')
      .map((rule) => rule.trim().split(':'))
      .flatMap(([prefix, code]) => (prefix && code ? [{ prefix, code }] : []));
  }

  /** Sends a code. Does the same for every number, so that nobody learns who has an account. */
  async requestCode(written: string): Promise<Readonly<{ requestId: string; expiresAt: string }>> {
    const phone = phoneOf(written);
    const fixed = this.#testCodes.find(({ prefix }) => phone.startsWith(prefix))?.code;
    if (fixed === undefined) await this.#mayAsk(phone);
    const code = fixed ?? String(this.random.integer(CODES)).padStart(CODE_DIGITS, '0');
    const requestId = this.random.uuid();
    const expiresAtMs = this.clock.now() + CODE_TTL_MS;
    const sent: SentCode = {
      hash: this.#hash(requestId, code).toString('hex'),
      phone: this.#sealed(phone),
      expiresAtMs,
      tries: 0,
    };
    await this.operations.put(COLLECTION, requestId, sent);
    this.timer.after(CODE_TTL_MS, () => void this.#drop(requestId));
    if (fixed === undefined) await this.sender.send(phone, code);
    return { requestId, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /** Takes a code for a token; a number that is new becomes a person. Every step may be repeated. */
  async complete(
    requestId: string,
    code: string,
    name: string,
    device: DeviceInput,
  ): Promise<SignedIn & Readonly<{ position: string }>> {
    const phone = await this.#redeem(requestId, code);
    const userId = await this.#claimed(phone, requestId);
    const stream = `user-${userId}`;
    const step = (of: string) => this.#meta(requestId, of, userId, stream);
    const registered = await this.#run(new RegisterUser({ userId, phone, name }, step('register')));
    const deviceId = await this.#deviceOf(userId, device.id, requestId);
    const { position } = await this.#run(
      new LinkDevice(
        { userId, deviceId, name: device.name, platform: device.platform },
        { ...step('link'), device: deviceId },
      ),
    );
    const { token, expiresAtMs } = await this.tokens.issue({ userId, deviceId });
    const expiresAt = new Date(expiresAtMs).toISOString();
    const isNew = !registered.duplicate;
    return { accessToken: token, expiresAt, userId, deviceId, registered: isNew, position };
  }

  async #mayAsk(phone: string): Promise<void> {
    if (!this.config.RATE_LIMIT_COMMANDS) return;
    for (const limit of LIMITS) {
      const retryAfterMs = await this.limiter.take(limit, phone);
      if (retryAfterMs > 0)
        reject('rate_limited', 'A code was sent already; wait before asking again.', {
          retryAfterMs,
        });
    }
  }

  /** The number that a right code proves. A try is counted before it is looked at (abuse 72). */
  async #redeem(requestId: string, code: string): Promise<string> {
    const sent = await this.operations.increment<SentCode>(COLLECTION, requestId, 'tries');
    if (!sent || sent.tries > TRIES_MAX) return wrongCode();
    if (sent.expiresAtMs <= this.clock.now())
      return reject('code_expired', 'This code is too old; ask for a new one.');
    const isRight = timingSafeEqual(Buffer.from(sent.hash, 'hex'), this.#hash(requestId, code));
    if (!isRight || !(await this.operations.take(COLLECTION, requestId))) return wrongCode();
    return this.#opened(sent.phone);
  }

  /** Who a number belongs to; who comes first with it becomes its person. */
  async #claimed(phone: string, requestId: string): Promise<string> {
    const holder = await this.claims.holderOf('phone', phone);
    if (holder !== undefined) return holder;
    const userId = this.random.uuid();
    return this.claims.take('phone', phone, userId, this.#draft(requestId, 'claim', userId));
  }

  /** The device's own id, unless it is somebody else's: then a new one. */
  async #deviceOf(userId: string, asked: string | undefined, requestId: string): Promise<string> {
    const deviceId = asked ?? this.random.uuid();
    const { state } = await this.streams.look(user, `user-${userId}`, 0);
    if (state.devices.has(deviceId)) return deviceId;
    const draft = this.#draft(requestId, `device:${deviceId}`, userId);
    const holder = await this.claims.take('device', deviceId, userId, draft);
    return holder === userId ? deviceId : this.#deviceOf(userId, undefined, requestId);
  }

  #run(command: Command): Promise<Accepted> {
    return this.bus.execute<Command, Accepted>(command);
  }

  #draft(requestId: string, step: string, actor: string) {
    const commandId = uuidOf(`sign-in:${requestId}:${step}`);
    return { commandId, actor, at: this.clock.iso(), correlationId: requestId };
  }

  #meta(requestId: string, step: string, actor: string, stream: string) {
    const draft = this.#draft(requestId, step, actor);
    return { ...draft, eventId: eventIdOf(stream, '', draft.commandId) };
  }

  #hash(requestId: string, code: string): Buffer {
    return createHmac('sha256', this.#key).update(`${requestId}:${code}`).digest();
  }

  #sealed(phone: string): string {
    const iv = this.random.bytes(IV_BYTES);
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
    await this.operations.take(COLLECTION, requestId).catch(() => undefined);
  }
}
