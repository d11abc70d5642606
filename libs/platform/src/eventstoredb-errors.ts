import { ErrorType, WrongExpectedVersionError } from '@eventstore/db-client';
import { LogUnavailable, StaleRevision } from './event-store.js';

/** gRPC status codes that mean the server could not be asked, or did not say what came of it. */
const AWAY_CODES: ReadonlySet<unknown> = new Set([
  1, // CANCELLED
  4, // DEADLINE_EXCEEDED
  8, // RESOURCE_EXHAUSTED
  13, // INTERNAL: a connection that was reset in the middle of an answer
  14, // UNAVAILABLE
]);

const AWAY_TYPES: ReadonlySet<unknown> = new Set([
  ErrorType.UNAVAILABLE,
  ErrorType.CANCELLED,
  ErrorType.TIMEOUT,
  ErrorType.DEADLINE_EXCEEDED,
  ErrorType.NOT_LEADER,
]);

/** What the server says while it starts, and the driver while it changes its connection. */
const AWAY_WORDS = /Server Is Not Ready|Channel has been (shut down|closed)|premature close/iu;

const UNKNOWN_CODE = 2;

const fieldsOf = (
  error: unknown,
): Readonly<{ type?: unknown; code?: unknown; message?: unknown }> =>
  typeof error === 'object' && error !== null ? error : {};

/** Whether an error means that the log cannot be reached now, rather than that it refused. */
export const isAway = (error: unknown): boolean => {
  const { type, code, message } = fieldsOf(error);
  return AWAY_TYPES.has(type) || AWAY_CODES.has(code) || AWAY_WORDS.test(String(message));
};

/** The driver's error in the port's words; one that is neither a lost race nor an outage stays. */
export const logError = (error: unknown, act: string): unknown => {
  if (error instanceof LogUnavailable || error instanceof StaleRevision) return error;
  if (error instanceof WrongExpectedVersionError) {
    const { streamName, expectedVersion, actualVersion } = error;
    return new StaleRevision(
      `${streamName} is at ${String(actualVersion)}, not at ${String(expectedVersion)}.`,
      { cause: error },
    );
  }
  const message = `The log is away: could not ${act}: ${String(fieldsOf(error).message)}`;
  return isAway(error) ? new LogUnavailable(message, { cause: error }) : error;
};

/** The stream was never written to, or was deleted. */
export const isAbsent = (error: unknown): boolean => {
  const { type } = fieldsOf(error);
  return type === ErrorType.STREAM_NOT_FOUND || type === ErrorType.STREAM_DELETED;
};

/** The server's answer to a position at which no event begins. */
export const isNowhere = (error: unknown): boolean =>
  fieldsOf(error).code === UNKNOWN_CODE && !isAway(error);
