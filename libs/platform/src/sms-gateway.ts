import { createHmac } from 'node:crypto';
import { parsePhoneNumberFromString } from 'libphonenumber-js';
import {
  BrokenCircuitError,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
  retry,
  wrap,
} from 'cockatiel';
import { reject } from '#domain';
import type { Clock, Random } from './clock.js';
import { CodeSender } from './code-sender.js';
import type { Config } from './config.js';

/** An answer is waited for this long (ms). */
const ANSWER_MS_MAX = 5_000;
/** Tries of one message: the first and two more. */
const RETRIES = 2;
/** First and longest pause between tries (ms); a person waits in front of the screen. */
const BACKOFF_MS = { initialDelay: 200, maxDelay: 2_000 };
/** So many failed messages in a row, and the gateway is left alone for a while (ms). */
const FAILURES_MAX = 5;
const REST_MS = 30_000;

/** How a gateway is spoken to. */
export type SmsGatewaySettings = Readonly<{
  url: string;
  /** The message; `{code}` stands for the code. */
  text: string;
  /** The request's JSON; `{to}`, `{text}` and `{id}` stand for their values within strings. */
  body: string;
  /** Signs requests where it is set. */
  secret: string;
  /** The header `Authorization`, where it is set. */
  authorization: string;
  /** ISO 3166 countries that are sent to; all where there is none. */
  countries: readonly string[];
}>;

/** The gateway that the settings name, if they name one. Throws where its JSON is none. */
export const smsSettingsOf = (config: Config): SmsGatewaySettings | undefined => {
  if (config.SMS_URL === '') return undefined;
  try {
    JSON.parse(config.SMS_BODY);
  } catch (cause) {
    throw new Error('Bad configuration: SMS_BODY must be JSON, such as {"to":"{to}"}.', { cause });
  }
  return {
    url: config.SMS_URL,
    text: config.SMS_TEXT,
    body: config.SMS_BODY,
    secret: config.SMS_SECRET,
    authorization: config.SMS_AUTHORIZATION,
    countries: config.SMS_COUNTRIES.split(',')
      .map((country) => country.trim().toUpperCase())
      .filter((country) => country !== ''),
  };
};

/** The gateway did not take a message. Says nothing of the number: errors get logged. */
export class SmsRefused extends Error {
  override readonly name = 'SmsRefused';

  constructor(
    readonly status: number,
    readonly isPassing: boolean,
  ) {
    super(`The SMS gateway answered ${status}.`);
  }
}

const filled = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replaceAll(/\{(\w+)\}/gu, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : JSON.stringify(value).slice(1, -1);
  });

/** Whether another try may go better: no answer, overload, or a fault of the gateway's own. */
const mayPass = (error: unknown): boolean => !(error instanceof SmsRefused) || error.isPassing;

/**
 * Sends codes through any gateway that takes a JSON POST. All tries of a message carry the same
 * `{id}`, also as `Idempotency-Key`, so that a gateway that knows it sends once. A request is
 * signed like a webhook: `X-Scripta-Signature: t=<seconds>,v1=<HMAC-SHA256 of "t.body", hex>`.
 */
export class HttpSmsSender extends CodeSender {
  readonly #policy;

  constructor(
    private readonly settings: SmsGatewaySettings,
    private readonly ports: Readonly<{ clock: Clock; random: Random }>,
  ) {
    super();
    const passing = handleWhen(mayPass);
    this.#policy = wrap(
      circuitBreaker(passing, {
        halfOpenAfter: REST_MS,
        breaker: new ConsecutiveBreaker(FAILURES_MAX),
      }),
      retry(passing, { maxAttempts: RETRIES, backoff: new ExponentialBackoff(BACKOFF_MS) }),
    );
  }

  /** Throws `forbidden` for a country that is not sent to, `unavailable` when it cannot be sent. */
  override async send(phone: string, code: string): Promise<void> {
    const { countries, text, body } = this.settings;
    const country = parsePhoneNumberFromString(phone)?.country ?? '';
    if (countries.length > 0 && !countries.includes(country))
      reject('forbidden', 'No codes are sent to numbers of this country.');
    const id = this.ports.random.uuid();
    const message = { to: phone, text: text.replaceAll('{code}', code), id };
    try {
      await this.#policy.execute(() => this.#post(id, filled(body, message)));
    } catch (error) {
      if (error instanceof BrokenCircuitError)
        reject('unavailable', 'No codes can be sent just now; try again in a minute.', {
          retryAfterMs: REST_MS,
        });
      reject('unavailable', 'The code could not be sent; try again later.');
    }
  }

  async #post(id: string, body: string): Promise<void> {
    const { url, secret, authorization } = this.settings;
    const t = Math.floor(this.ports.clock.now() / 1_000);
    const v1 = createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
    const answer = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': id,
        ...(secret === '' ? {} : { 'x-scripta-signature': `t=${t},v1=${v1}` }),
        ...(authorization === '' ? {} : { authorization }),
      },
      body,
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    await answer.body?.cancel();
    if (!answer.ok)
      throw new SmsRefused(answer.status, answer.status >= 500 || answer.status === 429);
  }
}
