import { LogUnavailable, StaleRevision } from './event-store.js';

/** gRPC status codes that mean the server could not be asked, or did not say what came of it. */
const AWAY_CODES: ReadonlySet<unknown> = new Set([
  1, // CANCELLED
  4, // DEADLINE_EXCEEDED
  8, // RESOURCE_EXHAUSTED
  10, // ABORTED: a subscriber that is too slow for the server
  13, // INTERNAL: a connection that was reset in the middle of an answer
  14, // UNAVAILABLE
]);
const UNKNOWN_CODE = 2;

/** What the server says while it starts, and the driver while it changes its connection. */
const AWAY_WORDS = /not ready|channel has been (shut down|closed)|premature close|discover/iu;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const codeOf = (error: unknown): unknown =>
  isObject(error) && 'code' in error ? error.code : undefined;

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : 'no reason given';

/** The server's own name of an error, in the trailers of a call. */
const exceptionOf = (error: unknown): string => {
  if (!isObject(error) || !('metadata' in error) || !isObject(error.metadata)) return '';
  const get: unknown = 'get' in error.metadata ? error.metadata.get : undefined;
  const values: unknown =
    typeof get === 'function' ? Reflect.apply(get, error.metadata, ['exception']) : [];
  return Array.isArray(values) ? String(values[0] ?? '') : '';
};

/** Whether an error means that the log cannot be reached now, rather than that it refused. */
export const isAway = (error: unknown): boolean =>
  AWAY_CODES.has(codeOf(error)) ||
  AWAY_WORDS.test(messageOf(error)) ||
  exceptionOf(error) === 'not-leader';

/** An error in the port's words; one that is neither a lost race nor an outage stays as it is. */
export const logError = (error: unknown, act: string): Error => {
  if (error instanceof LogUnavailable || error instanceof StaleRevision) return error;
  const message = `could not ${act}: ${messageOf(error)}`;
  if (isAway(error)) return new LogUnavailable(`The log is away: ${message}`, { cause: error });
  return new Error(`The log refused: ${message}`, { cause: error });
};

/** The stream was deleted for good. */
export const isAbsent = (error: unknown): boolean => exceptionOf(error) === 'stream-deleted';

/** The server's answer to a position at which no event begins. */
export const isNowhere = (error: unknown): boolean =>
  error instanceof Error && codeOf(error.cause ?? error) === UNKNOWN_CODE && !isAway(error.cause);
