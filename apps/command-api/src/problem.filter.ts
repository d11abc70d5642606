import {
  Catch,
  HttpException,
  Logger,
  NotFoundException,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { Rejection } from '#domain';
import {
  KeysUnavailable,
  LogUnavailable,
  REJECTION_STATUS,
  tally,
  ViewsUnavailable,
} from '#platform';
import { traceOf } from './trace.js';

/** Seconds after which a caller may try again when nothing better is known. */
const RETRY_AFTER_S = 1;

/** Codes of refusals that only HTTP knows. */
const HTTP_CODES: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'timeout',
  413: 'too_large',
  415: 'unsupported_media_type',
  431: 'too_large',
};

/** What Express keeps of a route. */
type RouteLayer = Readonly<{
  route: Readonly<{ methods: Readonly<Record<string, boolean>> }>;
  match(path: string): boolean;
}>;

const isRoute = (layer: object): layer is RouteLayer =>
  'match' in layer && 'route' in layer && layer.route !== undefined;

/** A refusal as RFC 9457 has it, with the stable code beside. */
export type Problem = Readonly<{
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  instance?: string;
  errors?: unknown;
  details?: Readonly<Record<string, unknown>>;
}>;

/** A problem's document. Its type is a name, not a link: nothing in it depends on the request. */
export const problemOf = (status: number, code: string, detail: string): Problem => ({
  type: `urn:scripta:problem:${code}`,
  title: code.replaceAll('_', ' '),
  status,
  code,
  detail,
});

const ofRejection = ({ code, message, details }: Rejection): Problem => {
  const { errors, ...others } = details;
  return {
    ...problemOf(REJECTION_STATUS[code].http, code, message),
    ...(errors === undefined ? {} : { errors }),
    ...(Object.keys(others).length === 0 ? {} : { details: others }),
  };
};

const statusOf = (error: unknown): number | undefined => {
  if (error instanceof HttpException) return error.getStatus();
  // Express marks what the request itself was to blame for, such as a path that cannot be decoded.
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status < 500 ? status : undefined;
};

/** What is said of a store that is away. */
const awayOf = (error: unknown): string | undefined => {
  if (error instanceof LogUnavailable)
    return 'The log cannot be reached; try again with the same id.';
  if (error instanceof KeysUnavailable) return 'The keys cannot be reached just now; try again.';
  return error instanceof ViewsUnavailable
    ? 'The read models cannot be reached just now; try again.'
    : undefined;
};

const problemFor = (error: unknown): Problem | undefined => {
  if (error instanceof Rejection) return ofRejection(error);
  const away = awayOf(error);
  if (away !== undefined) return problemOf(503, 'unavailable', away);
  const status = statusOf(error);
  const code = status === undefined ? undefined : HTTP_CODES[status];
  if (status === undefined || code === undefined) return undefined;
  const isOurs = error instanceof HttpException && status !== 404;
  const detail = isOurs ? error.message : status === 404 ? 'There is nothing here.' : 'Malformed.';
  return problemOf(status, code, detail);
};

const NO_SUCH_METHOD = problemOf(405, 'method_not_allowed', 'There is no such method here.');

/** The methods at a request's path: if there are any, it is the method that was wrong. */
const allowedAt = ({ app, path }: Request): readonly string[] => {
  const layers: readonly object[] = app.router.stack;
  const methods = layers.flatMap((layer) =>
    isRoute(layer) && layer.match(path) ? Object.keys(layer.route.methods) : [],
  );
  return [...new Set(methods)].filter((name) => name !== '_all').map((name) => name.toUpperCase());
};

const retryAfterS = ({ status, details }: Problem): number | undefined => {
  const retryAfterMs = details?.['retryAfterMs'];
  if (typeof retryAfterMs === 'number') return Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return status === 429 || status === 503 ? RETRY_AFTER_S : undefined;
};

/** The one place where what went wrong becomes an answer; bugs are logged and answered as 500. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('command-api');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const trace = traceOf(request);
    const allowed = error instanceof NotFoundException ? allowedAt(request) : [];
    const known = allowed.length > 0 ? NO_SUCH_METHOD : problemFor(error);
    if (allowed.length > 0) response.set('Allow', allowed.join(', '));
    if (!known) this.#logger.error(`${trace} ${String(error)}`, stackOf(error));
    const problem =
      known ?? problemOf(500, 'internal', 'Something went wrong on our side; it has been noted.');
    tally(known ? 'refused' : 'failed', problem.code, placeOf(request));
    if (response.headersSent || response.destroyed) return;
    const seconds = retryAfterS(problem);
    if (seconds !== undefined) response.set('Retry-After', String(seconds));
    response
      .status(problem.status)
      .type('application/problem+json')
      .send(JSON.stringify({ ...problem, instance: `urn:uuid:${trace}` }));
  }
}

/** The route, never the path itself: that has ids in it. */
const placeOf = ({ method, route }: Request & { route?: unknown }): string =>
  typeof route === 'object' && route !== null && 'path' in route
    ? `${method} ${String(route.path)}`
    : 'no route';

const stackOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const cause = error.cause instanceof Error ? `\nCaused by ${error.cause.stack ?? ''}` : '';
  return `${error.stack ?? ''}${cause}`;
};
