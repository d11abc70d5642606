import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { SPANS, ViewsUnavailable, type Operations, type Span } from '#platform';
import { HandTime, memoryPorts, MemoryOperations } from '#testing';
import { Path } from './path.js';
import { Spans, type Spanned } from './spans.js';

/** The small documents, whose store can be away; it counts what it is asked to write. */
class CountedOperations extends MemoryOperations {
  isAway = false;
  writes: number[] = [];

  override async putAll(...[collection, documents]: Parameters<Operations['putAll']>) {
    if (this.isAway) throw new ViewsUnavailable('away');
    this.writes.push(documents.length);
    await super.putAll(collection, documents);
  }
}

const TICK_MS = 1_000;

let time: HandTime;
let operations: CountedOperations;
let spans: Spans;

const connect = (id: string): Spanned => {
  const reader = { userId: randomUUID(), deviceId: randomUUID(), path: new Path() };
  const connection = { id, reader };
  spans.opened(connection);
  return connection;
};
const stored = async (): Promise<readonly Span[]> =>
  operations.find<Span>(SPANS, { filter: { userId: { $exists: true } }, sort: { openedAt: 1 } });

describe('spans', () => {
  beforeEach(() => {
    time = new HandTime();
    operations = new CountedOperations();
    const settings = { SPANS_TICK_MS: String(TICK_MS), SPANS_PER_TICK_MAX: '10' };
    const ports = memoryPorts(settings, { clock: time.clock });
    spans = new Spans({ ...ports, operations, timer: time });
    spans.onApplicationBootstrap();
  });

  it('[Z4] are written in one bulk a tick, however many messages there were, and not when idle', async () => {
    const devices = ['a', 'b', 'c'].map(connect);
    for (const { reader } of devices) reader.path.live(0);
    for (let position = 1; position <= 500; position++)
      for (const { reader } of devices) reader.path.told(position);
    await time.pass(10 * TICK_MS);
    expect(operations.writes).toEqual([3]);
    expect((await stored()).map(({ told }) => told)).toEqual([500, 500, 500]);
    devices[1]?.reader.path.acknowledged(500);
    await time.pass(10 * TICK_MS);
    expect(operations.writes).toEqual([3, 1]);
  });

  it('are at most so many a tick, those unwritten for longest first', async () => {
    const devices = Array.from({ length: 25 }, (_, index) => connect(`c${index}`));
    for (let tick = 1; tick <= 5; tick++) {
      for (const { reader } of devices) reader.path.told(tick);
      await time.pass(TICK_MS);
    }
    expect(operations.writes).toEqual([10, 10, 10, 10, 10]);
    const told = (await stored()).map((span) => span.told);
    expect([3, 4, 5].map((tick) => told.filter((last) => last === tick).length)).toEqual([
      5, 10, 10,
    ]);
  });

  it('that could not be written are tried again, though nothing changed since', async () => {
    const device = connect('a');
    device.reader.path.told(7);
    operations.isAway = true;
    await time.pass(3 * TICK_MS);
    operations.isAway = false;
    await time.pass(2 * TICK_MS);
    expect(operations.writes).toEqual([1]);
    expect(await stored()).toMatchObject([{ _id: 'a', told: 7 }]);
  });

  it('that ended while the store was away are written when it is back', async () => {
    const device = connect('a');
    device.reader.path.told(7);
    operations.isAway = true;
    spans.closed(device, 'transport close');
    await time.pass(3 * TICK_MS);
    expect(await stored()).toEqual([]);
    operations.isAway = false;
    await time.pass(TICK_MS);
    expect(await stored()).toMatchObject([{ _id: 'a', told: 7, reason: 'transport close' }]);
  });

  it('that ended are written before the process ends', async () => {
    const device = connect('a');
    device.reader.path.told(7);
    spans.closed(device, 'server shutting down');
    await spans.onApplicationShutdown();
    expect(await stored()).toMatchObject([{ _id: 'a', closedAt: 0 }]);
  });
});
