import {
  createParamDecorator,
  Inject,
  Injectable,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import {
  AccountNews,
  CommandDoor,
  PORTS,
  type Accepted,
  type CommandName,
  type Ports,
} from '#commands';
import { reject } from '#domain';
import { ApiKeys, uuidOf, type AccessClaims } from '#platform';
import { traceOf } from './trace.js';

/** Routes that need no access token carry this mark. */
const OPEN = 'open to callers without a token';
/** A route that one may call before one has a token. */
export const Open = () => SetMetadata(OPEN, true);

const KEY = /^[A-Za-z0-9_.~:-]{1,128}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What a command answers over REST. */
export type Answered = Readonly<Record<string, unknown> & { position: string }>;

/** Who calls, and how their commands are carried out and answered. */
export class Caller {
  constructor(
    readonly who: AccessClaims,
    private readonly door: CommandDoor,
    private readonly call: Readonly<{ request: Request; response: Response; id: () => string }>,
  ) {}

  /**
   * Carries a command out under the request's Idempotency-Key, or an id made for it. `created` is
   * the status where it changed something; a repeat is answered with 200.
   */
  async command(name: CommandName, data: object, created = 200): Promise<Answered> {
    const key = this.#idempotencyKey();
    const id = key ?? this.call.id();
    const calling = { once: key === undefined, correlationId: traceOf(this.call.request) };
    const accepted = await this.door.execute(name, { v: 1, id, data }, this.who, calling);
    this.call.response.status(accepted.duplicate ? 200 : created);
    return this.answer(accepted);
  }

  /** The answer to a command, its position also in the header. */
  answer({ data, position }: Accepted): Answered {
    this.call.response.set('X-Position', position);
    return { ...data, position };
  }

  #idempotencyKey(): string | undefined {
    const key = this.call.request.headers['idempotency-key'];
    if (key === undefined) return undefined;
    if (typeof key !== 'string' || !KEY.test(key))
      return reject('bad_request', 'Idempotency-Key has 1 to 128 URL-safe characters.');
    return UUID.test(key) ? key : uuidOf(`key:${this.who.deviceId}:${key}`);
  }
}

const callers = new WeakMap<Request, Caller>();

/** The caller of a request, for a handler's parameter. */
export const Calling = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const caller = callers.get(context.switchToHttp().getRequest<Request>());
  return caller ?? reject('unauthorized', 'Log in first.');
});

/** Lets through who carries a valid access token, and, where it is required, a valid X-Api-Key. */
@Injectable()
export class CallerGuard implements CanActivate {
  readonly #apiKeys: ApiKeys;

  constructor(
    private readonly reflector: Reflector,
    private readonly door: CommandDoor,
    private readonly news: AccountNews,
    @Inject(PORTS) private readonly ports: Ports,
  ) {
    this.#apiKeys = new ApiKeys(ports.operations, ports);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    await this.#mustBeKnown(request);
    if (this.reflector.get<boolean>(OPEN, context.getHandler())) return true;
    const [scheme, token, ...more] = (request.headers.authorization ?? '').split(' ');
    if (scheme?.toLowerCase() !== 'bearer' || token === undefined || more.length > 0)
      return reject('unauthorized', 'Send the access token as `Authorization: Bearer …`.');
    const who = await this.news.verify(token);
    const response = http.getResponse<Response>();
    const id = () => this.ports.random.uuid();
    callers.set(request, new Caller(who, this.door, { request, response, id }));
    return true;
  }

  /** A key that is shown must be good, also where none is asked for. */
  async #mustBeKnown({ path, headers }: Request): Promise<void> {
    const given = headers['x-api-key'];
    if (!path.startsWith('/v1/')) return;
    if (given === undefined && !this.ports.config.REQUIRE_API_KEY) return;
    await this.#apiKeys.check(String(given ?? ''), path.startsWith('/v1/auth/') ? 'login' : 'chat');
  }
}
