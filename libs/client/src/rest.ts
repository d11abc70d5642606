import { ScriptaError, type Refusal } from './errors.js';
import { pauseMs, sleep, type Runtime } from './runtime.js';

/** A request that has no answer by then is given up. */
const REQUEST_MS_MAX = 15_000;
/** Attempts of a request that changes nothing, or carries an id that tells a repeat. */
const ATTEMPTS_MAX = 5;
/** Longest pause between them. */
const RETRY_MS_MAX = 2_000;

/** A query's parts; `undefined` ones are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

const queryOf = (query: Query): string => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
};

const refusalOf = (response: Pick<Response, 'status' | 'headers'>, body: unknown): ScriptaError => {
  const problem: Partial<Refusal> & { detail?: string; title?: string } =
    typeof body === 'object' && body !== null ? body : {};
  const seconds = Number(response.headers.get('retry-after'));
  return new ScriptaError({
    code: problem.code ?? `http_${response.status}`,
    message: problem.detail ?? problem.title ?? `The server answered ${response.status}.`,
    retryable: response.status === 429 || response.status >= 500,
    ...(seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {}),
    ...(problem.details ? { details: problem.details } : {}),
  });
};

/** How requests are made: the platform's own `fetch`, or what a simulation brings. */
export type Fetch = (
  url: string,
  init: Readonly<{ method: string; headers: Record<string, string>; body?: string }>,
) => Promise<Pick<Response, 'ok' | 'status' | 'headers' | 'text'>>;

/** Requests over the network, given up when they have no answer in time. */
const overNetwork: Fetch = (url, init) =>
  fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_MS_MAX) });

/** The token to show, and how to have a new one. */
export type RestTokens = Readonly<{
  token: () => string | undefined;
  renew: () => Promise<boolean>;
}>;

/** What requests carry beside, and how they are made. */
export type Requests = Readonly<{ fetch?: Fetch | undefined; apiKey?: string | undefined }>;

/** The REST side. */
export class Rest {
  constructor(
    private readonly url: string,
    private readonly runtime: Runtime,
    private readonly tokens: RestTokens,
    private readonly requests: Requests = {},
  ) {}

  /** Reads; tried again while the server is busy or away. */
  async get<Body>(path: string, query: Query = {}): Promise<Body> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.send<Body>('GET', `${path}${queryOf(query)}`);
      } catch (error) {
        const isOver = attempt + 1 >= ATTEMPTS_MAX;
        if (isOver || !(error instanceof ScriptaError) || !error.retryable) throw error;
        const pause = error.retryAfterMs ?? pauseMs(this.runtime, attempt, RETRY_MS_MAX);
        await sleep(this.runtime, pause);
      }
    }
  }

  /** Sends; once more with a new token where the one shown is over. */
  async send<Body>(method: string, path: string, body?: object): Promise<Body> {
    try {
      return await this.once<Body>(method, path, body);
    } catch (error) {
      const isOver = error instanceof ScriptaError && error.code === 'unauthorized';
      if (!isOver || this.tokens.token() === undefined || !(await this.tokens.renew())) throw error;
      return this.once<Body>(method, path, body);
    }
  }

  /** Sends once. Throws a `ScriptaError` for a refusal, and where the server cannot be reached. */
  async once<Body>(method: string, path: string, body?: object): Promise<Body> {
    const token = this.tokens.token();
    const { fetch: request = overNetwork, apiKey } = this.requests;
    const response = await request(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch((cause: unknown) => {
      const message = 'The server cannot be reached.';
      throw new ScriptaError({ code: 'unreachable', message, retryable: true }, { cause });
    });
    const text = await response.text();
    const answer: unknown = text === '' ? {} : parse(text);
    if (!response.ok) throw refusalOf(response, answer);
    // The server's answers are as its OpenAPI says.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return answer as Body;
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = 'The answer is not JSON; is this the platform?';
    throw new ScriptaError({ code: 'bad_answer', message, retryable: true }, { cause });
  }
};
