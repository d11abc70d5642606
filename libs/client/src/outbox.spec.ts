import { describe, expect, it } from 'vitest';
import { ScriptaError } from './errors.js';
import { Outbox, type Outgoing, type OutboxItem } from './outbox.js';
import type { Accepted } from './protocol.js';
import { systemRuntime } from './runtime.js';
import { MemoryStorage } from './storage.js';

const accepted: Accepted = { duplicate: false, data: {}, position: '1' };
const refusal = (code: string, more: object = {}): ScriptaError =>
  new ScriptaError({ code, message: code, retryable: false, ...more });

type Script = (command: Outgoing, times: number) => Accepted | ScriptaError;

/** An outbox whose wire answers by a script, and what went over the wire. */
const outboxOf = (script: Script, storage = new MemoryStorage()) => {
  const carried: Outgoing[] = [];
  const inFlight = { now: 0, most: 0 };
  const carry = async (_name: string, command: Outgoing): Promise<Accepted> => {
    carried.push(command);
    inFlight.most = Math.max(inFlight.most, (inFlight.now += 1));
    await Promise.resolve();
    inFlight.now -= 1;
    const answer = script(command, carried.length);
    if (answer instanceof ScriptaError) throw answer;
    return answer;
  };
  const items: OutboxItem[] = [];
  const outbox = new Outbox(systemRuntime, storage, carry, {
    ended: () => undefined,
    changed: (item) => items.push(item),
  });
  const send = (text: string, lane = 'a', id = text) =>
    outbox.enter({ id, lane, isCounted: true, name: 'message.send', data: { text } });
  return { outbox, carried, inFlight, send, storage, items };
};

const sent = (carried: readonly Outgoing[]) => carried.map(({ n, data }) => [n, data['text']]);

it('counts each conversation by itself, without a gap, one in flight at a time', async () => {
  const { outbox, carried, inFlight, send } = outboxOf(() => accepted);
  outbox.open();
  await Promise.all([send('1'), send('2'), send('3')]);
  await send('1', 'b');
  expect(sent(carried)).toEqual([
    [1, '1'],
    [2, '2'],
    [3, '3'],
    [1, '1'],
  ]);
  expect(inFlight.most).toBe(1);
});

it('[V3] repeats the same id, n and body until it knows the outcome', async () => {
  const { outbox, carried, send } = outboxOf((_, times) =>
    times < 4 ? refusal('disconnected', { retryable: true, retryAfterMs: 0 }) : accepted,
  );
  outbox.open();
  await send('hello');
  expect(carried).toHaveLength(4);
  expect(new Set(carried.map((command) => JSON.stringify(command))).size).toBe(1);
});

it('gives the n of a refused command to the next', async () => {
  const { outbox, carried, send } = outboxOf(({ data }) =>
    data['text'] === 'bad' ? refusal('invalid') : accepted,
  );
  outbox.open();
  const outcomes = await Promise.allSettled([send('one'), send('bad'), send('two')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(sent(carried)).toEqual([
    [1, 'one'],
    [2, 'bad'],
    [2, 'two'],
  ]);
});

it('learns its next n when it has forgotten how much it had sent', async () => {
  const { outbox, carried, send } = outboxOf(({ n = 0 }) =>
    n < 8 ? refusal('out_of_order', { details: { expected: 8 } }) : accepted,
  );
  outbox.open();
  await send('again');
  await send('more');
  expect(carried.map(({ n }) => n)).toEqual([1, 8, 9]);
  expect(carried[0]?.id).toBe(carried[1]?.id);
});

it('keeps what waits for the next run, which sends it with the same id and n', async () => {
  const first = outboxOf(() => accepted);
  first.outbox.open();
  await first.send('one');
  first.outbox.close();
  const waiting = first.send('two');
  first.outbox.abandon(refusal('closed'));
  await expect(waiting).rejects.toMatchObject({ code: 'closed' });

  const second = outboxOf(() => accepted, first.storage);
  second.outbox.restore(await first.storage.load());
  expect(second.outbox.size).toBe(1);
  second.outbox.open();
  await second.send('three');
  expect(sent(second.carried)).toEqual([
    [2, 'two'],
    [3, 'three'],
  ]);
});

it('waits as long as it is told before it tries again', async () => {
  const times: number[] = [];
  const { outbox, send } = outboxOf((_, attempt) => {
    times.push(systemRuntime.now());
    return attempt === 1
      ? refusal('rate_limited', { retryable: true, retryAfterMs: 60 })
      : accepted;
  });
  outbox.open();
  await send('hello');
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(55);
});

describe('[D22] what is not sent yet', () => {
  it('is shown at once, in its order, and goes out as it was edited', async () => {
    const { outbox, carried, send, items } = outboxOf(() => ({ ...accepted, data: { seq: 7 } }));
    const sending = [send('one'), send('two'), send('three')];
    expect(outbox.items.map(({ id, state }) => [id, state])).toEqual([
      ['one', 'queued'],
      ['two', 'queued'],
      ['three', 'queued'],
    ]);
    outbox.edit('two', 'zwei');
    outbox.edit('two', 'deux');
    outbox.cancel('three');
    await expect(sending[2]).rejects.toMatchObject({ code: 'cancelled' });
    outbox.open();
    await Promise.all(sending.slice(0, 2));
    expect(sent(carried)).toEqual([
      [1, 'one'],
      [2, 'deux'],
    ]);
    expect(carried[1]?.id).toBe('two');
    expect(items.filter(({ id }) => id === 'two').map(({ state, text }) => [state, text])).toEqual([
      ['queued', 'two'],
      ['queued', 'zwei'],
      ['queued', 'deux'],
      ['sent', 'deux'],
    ]);
    expect(items.at(-1)).toMatchObject({ id: 'two', seq: 7, retries: 0 });
    expect(outbox.items).toEqual([]);
  });

  it('can be edited in the next run too, unless it may have been sent in this one', async () => {
    const { outbox, send, storage } = outboxOf(() =>
      refusal('disconnected', { retryable: true, retryAfterMs: 5 }),
    );
    outbox.open();
    const sending = send('tried');
    outbox.close();
    const waiting = send('untried', 'b');
    expect(() => outbox.edit('tried', 'late')).toThrow('whether it arrived is not known yet');
    expect(() => outbox.cancel('tried')).toThrow('whether it arrived is not known yet');
    expect(() => outbox.edit('nothing', 'x')).toThrow('No such message');
    outbox.abandon(refusal('closed'));
    await Promise.allSettled([sending, waiting]);
    const next = outboxOf(() => accepted, storage);
    next.outbox.restore(await storage.load());
    expect(() => next.outbox.edit('tried', 'late')).toThrow('whether it arrived is not known yet');
    next.outbox.edit('untried', 'edited');
    next.outbox.open();
    await expect.poll(() => next.outbox.size).toBe(0);
    expect(sent(next.carried).map(([, text]) => text)).toEqual(['tried', 'edited']);
  });

  it('[D5] is rolled back when it is refused, with the reason, and kept to be sent again', async () => {
    let isOpen = false;
    const script: Script = ({ data }) =>
      data['text'] === 'bad' && !isOpen ? refusal('forbidden') : accepted;
    const first = outboxOf(script);
    first.outbox.open();
    const outcomes = await Promise.allSettled([first.send('bad'), first.send('good')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    const failed = { id: 'bad', state: 'failed', reason: 'forbidden', retries: 0, text: 'bad' };
    expect(first.items.find(({ state }) => state === 'failed')).toMatchObject(failed);
    expect(first.outbox.items).toMatchObject([failed]);

    const second = outboxOf(script, first.storage);
    second.outbox.restore(await first.storage.load());
    expect(second.outbox.items).toMatchObject([failed]);
    second.outbox.open();
    isOpen = true;
    await second.outbox.retry('bad');
    expect(sent(second.carried)).toEqual([[2, 'bad']]);
    expect(second.carried[0]?.id).toBe('bad');
    expect(second.outbox.items).toEqual([]);
    await expect(second.outbox.retry('bad')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('[D15] says how often it was tried, and why it did not go out', async () => {
    const { outbox, send, items } = outboxOf((_, times) =>
      times < 4 ? refusal('unavailable', { retryable: true, retryAfterMs: 0 }) : accepted,
    );
    outbox.open();
    await send('hello');
    expect(items.map(({ state, retries, reason }) => [state, retries, reason])).toEqual([
      ['queued', 0, undefined],
      ['queued', 1, 'unavailable'],
      ['queued', 2, 'unavailable'],
      ['queued', 3, 'unavailable'],
      ['sent', 3, undefined],
    ]);
  });
});

it('[V6] goes on after a refusal only once it is kept that it was refused', async () => {
  const { promise, resolve: flushed } = Promise.withResolvers<void>();
  const storage = Object.assign(new MemoryStorage(), { flush: () => promise });
  const { outbox, carried, send } = outboxOf(
    ({ data }) => (data['text'] === 'no' ? refusal('not_found') : accepted),
    storage,
  );
  outbox.open();
  const refused = send('no');
  const later = send('yes');
  await expect(refused).rejects.toMatchObject({ code: 'not_found' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(sent(carried)).toEqual([[1, 'no']]);
  expect([...(await storage.load()).keys()]).not.toContain('outbox:1');
  flushed();
  await later;
  expect(sent(carried)).toEqual([
    [1, 'no'],
    [1, 'yes'],
  ]);
});
