import { randomUUID } from 'node:crypto';
import type { Chunk } from './chunk-cache.js';
import { filterOf, type Filter } from './filter.js';
import { framesOf } from './frame.js';
import type { Outlet } from './outlet.js';
import { positionOf, streamOf } from './places.js';
import { streams, type ReadReq } from './protocol.js';
import type { Store } from './store.js';
import { firstVisible } from './stream-state.js';
import { caughtUp, checkpoint, confirmation, readEvent } from './wire.js';

/**
 * Both subscriptions pull: they read what is committed from where they are, at the client's pace, and
 * wait for a commit only at the end. So a slow client holds up nobody, costs one chunk of memory, and
 * between catching up and live there is no seam at which an event could be lost or doubled.
 */
const commitOf = (store: Store, outlet: Outlet): Promise<void> =>
  outlet.until((happened) => store.log.onCommit(happened));

/** Passes on what matches, in order, and says how far it has looked. */
const passing = (
  outlet: Outlet,
  filter: Filter | undefined,
  after: number,
): ((chunk: Chunk) => Promise<void>) => {
  let considered = 0;
  return async (chunk) => {
    for (const frame of framesOf(chunk)) {
      if (outlet.over) return;
      if (frame.position === after) continue;
      considered += 1;
      const slow = !filter || filter.matches(frame) ? outlet.write(readEvent(frame)) : undefined;
      const waiting = slow ?? outlet.breathe();
      if (waiting) await waiting;
      if (filter && considered % filter.checkpointEvery === 0)
        await outlet.write(checkpoint(frame.position));
    }
  };
};

/** The whole log from a position on (exclusive), and what follows. */
export const followAll = async (
  store: Store,
  outlet: Outlet,
  options: ReadReq.Options,
): Promise<void> => {
  const { log } = store;
  const all = options.getAll() ?? new streams.ReadReq.Options.AllOptions();
  const filter = filterOf(options);
  const begin = await positionOf(log, all);
  // Beyond the end there is nothing to be after: whatever comes next is delivered.
  const after = all.hasPosition() && begin < log.committed ? begin : -1;
  const pass = passing(outlet, filter, after);
  await outlet.write(confirmation(randomUUID()));
  let at = begin;
  let live = false;
  while (!outlet.over) {
    const chunk = await log.read(at);
    if (chunk) {
      await pass(chunk);
      at = chunk.base + chunk.bytes.length;
      continue;
    }
    if (!live) await outlet.write(caughtUp());
    live = true;
    // What was committed while the client was told is read at once.
    if (at >= log.committed) await commitOf(store, outlet);
  }
};

/** The revision after the one that a subscription of a stream was given. */
const firstToFollow = (options: ReadReq.Options, last: number): number => {
  const where = options.getStream();
  if (where?.hasEnd()) return last + 1;
  return where?.hasRevision() ? Number(where.getRevision()) + 1 : 0;
};

/** One stream from a revision on (exclusive), and what follows. */
export const followStream = async (
  store: Store,
  outlet: Outlet,
  options: ReadReq.Options,
): Promise<void> => {
  const stream = streamOf(options);
  const lastOf = (): number => store.state(stream)?.last ?? -1;
  let next = firstToFollow(options, lastOf());
  await outlet.write(confirmation(randomUUID()));
  let live = false;
  while (!outlet.over) {
    const state = store.state(stream);
    if (state) next = Math.max(next, firstVisible(state));
    if (state && next <= state.last) {
      await outlet.write(readEvent(await store.frame(stream, next)));
      next += 1;
      continue;
    }
    // As in the original: a stream that is not there yet is not caught up with.
    if (!live && state) {
      await outlet.write(caughtUp());
      live = true;
    }
    if (lastOf() < next) await commitOf(store, outlet);
  }
};
