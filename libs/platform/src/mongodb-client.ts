import {
  MongoBulkWriteError,
  MongoClient,
  MongoError,
  MongoNetworkError,
  MongoServerSelectionError,
} from 'mongodb';
import type { ViewIndex } from '#domain';
import { ViewsUnavailable } from './view-writer.js';

/** Databases of one deployment: folds that can be rebuilt, and what the running system needs. */
export const VIEWS_DATABASE = 'views';
/** See `VIEWS_DATABASE`. */
export const OPERATIONS_DATABASE = 'operations';
/** One document per view: how far it is. */
export const CHECKPOINTS = 'checkpoints';
/** A query of a client may run this long (ms); the robustness budget for a read. */
export const QUERY_MS_MAX = 2_000;

/** MongoDB's code for a second document under a unique key. */
export const DUPLICATE_KEY = 11_000;
/** MongoDB's codes for a server that is going, or is not the primary (its error_codes.yml). */
const GOING_CODES: ReadonlySet<unknown> = new Set([91, 189, 10_107, 11_600, 11_602, 13_435]);

/** Connects to MongoDB, or to the embedded server that speaks its protocol, at the first call. */
export const connectMongo = (url: string): MongoClient =>
  new MongoClient(url, {
    writeConcern: { w: 'majority' },
    ignoreUndefined: true,
    serverSelectionTimeoutMS: 5_000,
    // One connection carries much; more only cost memory on both sides.
    maxPoolSize: 16,
  });

/**
 * The driver wraps what breaks a bulk off; one in which no operation was refused has failed on its
 * way, with some of it perhaps done.
 */
const isBrokenOff = (error: unknown): boolean =>
  error instanceof MongoBulkWriteError && [error.writeErrors].flat().length === 0;

const isOutage = (error: unknown): boolean =>
  isBrokenOff(error) ||
  error instanceof MongoNetworkError ||
  error instanceof MongoServerSelectionError ||
  (error instanceof MongoError &&
    (GOING_CODES.has(error.code) || error.hasErrorLabel('RetryableWriteError')));

/** Calls the database; `ViewsUnavailable` where it could not be reached. */
export const attempt = async <T>(call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!isOutage(error)) throw error;
    throw new ViewsUnavailable('The read models cannot be reached just now.', { cause: error });
  }
};

/**
 * The driver's form of a view's indexes. The one that every collection has is among them: asking for
 * it makes a collection that holds nothing yet, so that it can be renamed.
 */
export const indexSpecs = (indexes: readonly ViewIndex[]) => [
  { key: { _id: 1 as const }, name: '_id_' },
  ...indexes.map(({ key, unique }) => ({ key: { ...key }, unique: unique === true })),
];
