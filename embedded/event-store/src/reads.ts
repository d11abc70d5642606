import { status as codes } from '@grpc/grpc-js';
import { filterOf } from './filter.js';
import { framesOf, type Frame } from './frame.js';
import type { Log } from './log.js';
import { Outlet, type ReadCall } from './outlet.js';
import { countOf, positionOf, streamOf } from './places.js';
import { streams, type ReadReq } from './protocol.js';
import { Refused } from './refusal.js';
import type { Store } from './store.js';
import { firstVisible } from './stream-state.js';
import { followAll, followStream } from './subscriptions.js';
import { readEvent, streamNotFound } from './wire.js';

/** Events of a stream fetched at once: they lie apart in the log, so that reads overlap. */
const FETCHED_TOGETHER = 32;

const isBackwards = (options: ReadReq.Options): boolean =>
  options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;

/** The revision that a page of a stream begins with. */
const beginning = (options: ReadReq.Options, first: number, last: number): number => {
  const where = options.getStream();
  const end = where?.hasEnd() === true;
  const from = where?.hasRevision() ? Number(where.getRevision()) : 0;
  if (isBackwards(options)) return end ? last : Math.min(from, last);
  if (end) throw new Refused(codes.UNKNOWN, 'Reading forwards from the end finds nothing.');
  return Math.max(from, first);
};

const readStream = async (store: Store, outlet: Outlet, options: ReadReq.Options) => {
  const stream = streamOf(options);
  const state = store.state(stream);
  if (!state || state.last < 0 || state.deleted) return outlet.write(streamNotFound(stream));
  const first = firstVisible(state);
  const step = isBackwards(options) ? -1 : 1;
  let revision = beginning(options, first, state.last);
  const available = step < 0 ? revision - first + 1 : state.last - revision + 1;
  let left = Math.min(countOf(options), available);
  while (left > 0 && !outlet.over) {
    const count = Math.min(left, FETCHED_TOGETHER);
    const start = revision;
    const frames = await Promise.all(
      Array.from({ length: count }, (_, at) => store.frame(stream, start + at * step)),
    );
    for (const frame of frames) await outlet.write(readEvent(frame));
    revision += count * step;
    left -= count;
  }
  return undefined;
};

async function* forwards(log: Log, position: number): AsyncGenerator<Iterable<Frame>> {
  let at = position;
  for (let chunk = await log.read(at); chunk; chunk = await log.read(at)) {
    yield framesOf(chunk);
    at = chunk.base + chunk.bytes.length;
  }
}

async function* backwards(log: Log, position: number): AsyncGenerator<Iterable<Frame>> {
  let at = position;
  while (at > 0) {
    const frames = await log.readBackwards(at);
    yield frames;
    at = frames.at(-1)?.position ?? 0;
  }
}

const readAll = async (store: Store, outlet: Outlet, options: ReadReq.Options) => {
  const all = options.getAll() ?? new streams.ReadReq.Options.AllOptions();
  const filter = filterOf(options);
  let left = countOf(options);
  const position = await positionOf(store.log, all);
  const pages = isBackwards(options)
    ? backwards(store.log, position)
    : forwards(store.log, position);
  for await (const frames of pages) {
    for (const frame of frames) {
      if (outlet.over) return;
      await outlet.breathe();
      if (filter && !filter.matches(frame)) continue;
      await outlet.write(readEvent(frame));
      left -= 1;
      if (left === 0) return;
    }
  }
};

const serve = async (store: Store, outlet: Outlet, options: ReadReq.Options): Promise<void> => {
  if (options.getResolveLinks())
    throw new Refused(codes.UNIMPLEMENTED, 'Links are not supported: read without resolving them.');
  if (options.hasSubscription() && isBackwards(options))
    throw new Refused(codes.INVALID_ARGUMENT, 'A subscription goes forwards.');
  if (options.hasAll())
    return (options.hasSubscription() ? followAll : readAll)(store, outlet, options);
  return (options.hasSubscription() ? followStream : readStream)(store, outlet, options);
};

/** Read: pages and subscriptions, of one stream or the whole log. */
export const read =
  (store: Store) =>
  (call: ReadCall): void => {
    const options = call.request.getOptions() ?? new streams.ReadReq.Options();
    serve(store, new Outlet(call), options).then(
      () => call.end(),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        call.emit('error', error instanceof Refused ? error : failedRead(reason));
      },
    );
  };

/** Damage, or a disk that does not answer: a reader is never told that the log ends there. */
const failedRead = (reason: string): Refused => {
  process.stderr.write(`event-store: a read failed: ${reason}\n`);
  return new Refused(codes.DATA_LOSS, reason);
};
