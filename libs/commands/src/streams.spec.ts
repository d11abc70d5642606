import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  AddMembers,
  conversation,
  RemoveMember,
  SendMessage,
  StartConversation,
  type CommandMeta,
  type Conversation,
  type ConversationCommand,
} from '#domain';
import { eventIdOf, linkOf, type EventStore } from '#platform';
import { FaultyStore, memoryPorts, SteppedTime } from '#testing';
import { Decides } from './handled.js';
import type { Accepted } from './held.js';
import { SNAPSHOT_EVERY } from './loading.js';
import type { Ports } from './ports.js';
import { Streams } from './streams.js';

const [ADA, BEN] = [randomUUID(), randomUUID()];
const [PHONE, LAPTOP] = [randomUUID(), randomUUID()];

/** One process: its own states, on a way to the log that counts and may fail. */
const processOn = (ports: Ports, log: EventStore = ports.store) => {
  const store = new FaultyStore(log);
  const streams = new Streams({ ...ports, store });
  const handler = new (Decides(conversation))(streams);
  return { store, streams, execute: (command: ConversationCommand) => handler.execute(command) };
};

type Sending = Readonly<{ n?: number; id?: string; device?: string; by?: string; expect?: number }>;

const room = (conversationId = randomUUID()) => {
  const stream = `conversation-${conversationId}`;
  const meta = (
    body: unknown,
    { n, id = randomUUID(), device = PHONE, by = ADA, ...more }: Sending,
  ) =>
    ({
      commandId: id,
      eventId: eventIdOf(stream, device, id),
      actor: by,
      device,
      ...(n === undefined ? {} : { n }),
      ...more,
      digest: createHash('sha256').update(JSON.stringify(body)).digest('hex').slice(0, 32),
      at: '2026-11-23T12:00:00.000Z',
      correlationId: randomUUID(),
    }) satisfies CommandMeta;
  return {
    stream,
    start: (members: readonly string[] = [BEN], sending: Sending = { n: 1 }) => {
      const data = { conversationId, kind: 'group' as const, name: 'Choir', members };
      return new StartConversation(data, meta(data, sending));
    },
    add: (member: string, sending: Sending) => {
      const data = { conversationId, members: [member] };
      return new AddMembers(data, meta(data, sending));
    },
    send: (text: string, sending: Sending = {}) => {
      const data = { conversationId, text };
      return new SendMessage(data, meta(data, sending));
    },
  };
};

const started = async (settings: Readonly<Record<string, string>> = {}) => {
  const ports = memoryPorts(settings);
  const here = processOn(ports);
  const talk = room();
  await here.execute(talk.start());
  const messages = async () =>
    (await ports.store.read(talk.stream, 0)).filter(({ type }) => type === 'MessageSent');
  return { ports, ...talk, ...here, messages };
};

/** Every event of a conversation carries the link of the one before it. */
const expectLinked = async ({ store }: Ports, stream: string): Promise<void> => {
  const events = await store.read(stream, 0);
  expect(events.length).toBeGreaterThan(1);
  const links = events.map((event) => linkOf(event, event.revision));
  expect(events.map(({ data }) => data['prev'])).toEqual(['', ...links.slice(0, -1)]);
};

const coded = (code: string, details: object = {}) =>
  expect.objectContaining({ code, details: expect.objectContaining(details) as unknown });

describe('a repeat', () => {
  it('by n is answered as the first time, and nothing is appended', async () => {
    const { execute, send, messages } = await started();
    const command = send('Hello', { n: 2 });
    const first = await execute(command);
    const second = await execute(command);
    expect(first).toMatchObject({ duplicate: false, data: { seq: 2, number: 1 } });
    expect(second).toEqual({ ...first, duplicate: true });
    expect(await messages()).toHaveLength(1);
  });

  it('with another body is refused', async () => {
    const { execute, send, messages } = await started();
    const id = randomUUID();
    await execute(send('Hello', { n: 2, id }));
    await expect(execute(send('Good bye', { n: 2, id }))).rejects.toEqual(coded('id_reused'));
    expect(await messages()).toHaveLength(1);
  });

  it('under the same id from another device is another command', async () => {
    const { execute, send, messages } = await started();
    const id = randomUUID();
    await execute(send('Hello', { n: 2, id }));
    const other = await execute(send('Hello', { n: 1, id, device: LAPTOP, by: BEN }));
    expect(other.duplicate).toBe(false);
    expect(await messages()).toHaveLength(2);
  });

  it('that is 40 commands old is answered from history, also to who sends no n', async () => {
    const { execute, send, messages } = await started();
    const numbered = send('first', { n: 2 });
    const unnumbered = send('second', {});
    const firsts = [await execute(numbered), await execute(unnumbered)];
    for (let n = 3; n < 43; n++) await execute(send(`later ${n}`, { n }));
    const again = [await execute(numbered), await execute(unnumbered)];
    expect(again.map(({ data }) => data)).toEqual(firsts.map(({ data }) => data));
    expect(again.every(({ duplicate }) => duplicate)).toBe(true);
    expect(await messages()).toHaveLength(42);
  });

  it('that only history knows waits for it, and says so when it lags', async () => {
    const { execute, send, ports } = await started();
    const command = send('first', { n: 2 });
    await execute(command);
    ports.views.paused = true;
    for (let n = 3; n < 43; n++) await execute(send(`later ${n}`, { n }));
    await expect(execute(command)).rejects.toEqual(coded('behind'));
  });

  it('of an id that history knows with another body is refused', async () => {
    const { execute, send } = await started();
    const id = randomUUID();
    await execute(send('first', { n: 2, id }));
    for (let n = 3; n < 43; n++) await execute(send(`later ${n}`, { n }));
    await expect(execute(send('other', { n: 2, id }))).rejects.toEqual(coded('id_reused'));
  });
});

describe('the outbox', () => {
  it('has no gaps: a command too early is refused and told the next n', async () => {
    const { execute, send, messages } = await started();
    const refusal = execute(send('too early', { n: 4 }));
    await expect(refusal).rejects.toEqual(coded('out_of_order', { expected: 2 }));
    expect(await messages()).toHaveLength(0);
  });

  it('gets the n of a refused command back', async () => {
    const { execute, send, add } = await started();
    await expect(execute(add(BEN, { n: 2 }))).rejects.toEqual(coded('already_a_member'));
    expect(await execute(send('Hello', { n: 2 }))).toMatchObject({ duplicate: false });
  });

  it('of a device that lost its memory learns the next n', async () => {
    const { execute, send } = await started();
    for (let n = 2; n < 50; n++) await execute(send(`message ${n}`, { n }));
    const anew = execute(send('hello again', { n: 1 }));
    await expect(anew).rejects.toEqual(coded('out_of_order', { expected: 50 }));
    const nearby = execute(send('hello again', { n: 49 }));
    await expect(nearby).rejects.toEqual(coded('out_of_order', { expected: 50 }));
  });

  it('lets a caller without n send again and again', async () => {
    const { execute, send, messages } = await started();
    for (let count = 0; count < 40; count++) await execute(send('Hello'));
    expect(await messages()).toHaveLength(40);
  });
});

describe('two processes', () => {
  it('[V3] that race on one conversation lose nothing and store nothing twice', async () => {
    const { ports, execute, send, messages, stream } = await started();
    const there = processOn(ports);
    const results: Promise<Accepted>[] = [];
    for (let n = 2; n <= 51; n++) {
      results.push(execute(send(`here ${n}`, { n })));
      results.push(there.execute(send(`there ${n}`, { n: n - 1, device: LAPTOP, by: BEN })));
      if (n % 5 === 0) await results.at(-1);
    }
    const seqs = (await Promise.all(results)).map(({ data }) => data['seq']);
    expect(new Set(seqs).size).toBe(100);
    const stored = await messages();
    expect(stored).toHaveLength(100);
    const numbers = stored.map(({ data }) => data['number']);
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect((await ports.store.last(stream))?.revision).toBe(101);
    await expectLinked(ports, stream);
  });

  it('do not refuse on what the other has changed', async () => {
    const { ports, execute, add, send } = await started();
    const there = processOn(ports);
    const carl = randomUUID();
    await there.execute(send('warm', { n: 1, device: LAPTOP, by: BEN }));
    await execute(add(carl, { n: 2 }));
    const said = await there.execute(send('Thanks', { n: 1, device: randomUUID(), by: carl }));
    expect(said).toMatchObject({ duplicate: false });
  });

  it('accept nothing from who was removed by the other', async () => {
    const { ports, execute, send, messages } = await started();
    const there = processOn(ports);
    const device = LAPTOP;
    await there.execute(send('warm', { n: 1, device, by: BEN }));
    const { data, meta } = send('', { n: 2 });
    await execute(new RemoveMember({ conversationId: data.conversationId, userId: BEN }, meta));
    const late = there.execute(send('too late', { n: 2, device, by: BEN }));
    await expect(late).rejects.toEqual(coded('not_found'));
    expect(await messages()).toHaveLength(1);
  });

  it('refuse what expects another head', async () => {
    const { ports, execute, send } = await started();
    const there = processOn(ports);
    await there.execute(send('first', { n: 1, device: LAPTOP, by: BEN }));
    const stale = execute(send('second', { n: 2, expect: 1 }));
    await expect(stale).rejects.toEqual(coded('conflict', { head: 2 }));
    expect(await execute(send('second', { n: 2, expect: 2 }))).toMatchObject({ data: { seq: 3 } });
  });
});

describe('an unknown outcome', () => {
  it('[V3] is tried again with the original expected revision and stored once', async () => {
    const { execute, send, store, messages } = await started();
    store.answersToLose = 3;
    const accepted = await execute(send('Hello', { n: 2 }));
    expect(accepted).toMatchObject({ data: { seq: 2, number: 1 } });
    expect(await messages()).toHaveLength(1);
  });

  it('[V3] is found again after another process has written in between', async () => {
    const { ports, execute, send, store, messages } = await started();
    const there = processOn(ports);
    store.answersToLose = 1;
    store.beforeLoss = () => there.execute(send('between', { n: 1, device: LAPTOP, by: BEN }));
    const command = send('Hello', { n: 2 });
    const accepted = await execute(command);
    expect(accepted.data).toMatchObject({ messageId: command.meta.eventId, seq: 2, number: 1 });
    expect(await messages()).toHaveLength(2);
  });

  it('[V3] is answered the same by another process, 1,000 messages later', async () => {
    const { ports, execute, send, store, messages } = await started();
    const there = processOn(ports);
    const time = new SteppedTime();
    const hasty = new Streams({ ...ports, store, timer: time, clock: time.clock });
    const command = send('Hello', { n: 2 });
    store.answersToLose = Number.MAX_SAFE_INTEGER;
    const lost = new (Decides(conversation))(hasty).execute(command);
    await expect(lost).rejects.toThrow('lost');
    store.answersToLose = 0;
    for (let n = 1; n <= 1_000; n++)
      await there.execute(send(`${n}`, { n, device: LAPTOP, by: BEN }));
    const elsewhere = await there.execute(command);
    const here = await execute(command);
    expect(elsewhere).toMatchObject({ duplicate: true, data: { seq: 2, number: 1 } });
    expect(here.data).toEqual(elsewhere.data);
    expect(await messages()).toHaveLength(1_001);
  });

  it('is reported when the log stays away, and nothing is stored', async () => {
    const { ports, send, messages } = await started();
    const time = new SteppedTime();
    const there = processOn({ ...ports, timer: time, clock: time.clock });
    there.store.isDown = true;
    await expect(there.execute(send('Hello', { n: 2 }))).rejects.toThrow('down');
    there.store.isDown = false;
    expect(await messages()).toHaveLength(0);
    expect(await there.execute(send('Hello', { n: 2 }))).toMatchObject({ duplicate: false });
  });
});

describe('a log that hangs', () => {
  it('[T11] is given up, and the conversation goes on once it answers again', async () => {
    const { ports, send } = await started();
    const time = new SteppedTime();
    const there = processOn({ ...ports, timer: time, clock: time.clock });
    there.store.isHung = true;
    await expect(there.execute(send('Hello', { n: 2 }))).rejects.toThrow('did not answer');
    there.store.isHung = false;
    expect(await there.execute(send('Hello', { n: 2 }))).toMatchObject({ data: { seq: 2 } });
  });
});

describe('a hot conversation', () => {
  it('takes what waits in one turn as one append, and reads nothing', async () => {
    const { execute, send, store, messages } = await started();
    const [appends, reads] = [store.appends, store.reads];
    const sending = Array.from({ length: 120 }, (_, index) =>
      execute(send(`message ${index}`, { n: index + 2 })),
    );
    const accepted = await Promise.all(sending);
    expect(accepted.map(({ data }) => data['seq'])).toEqual(sending.map((_, index) => index + 2));
    expect(store.appends - appends).toBeLessThanOrEqual(3);
    expect(store.reads - reads).toBe(0);
    expect(await messages()).toHaveLength(120);
  });

  it('refuses one of a turn and accepts the others, each on what came before it', async () => {
    const { execute, send, add } = await started();
    const carl = randomUUID();
    const device = randomUUID();
    const turn = [
      execute(send('opens the turn', { n: 2 })),
      execute(add(carl, { n: 3 })),
      execute(send('from the newcomer', { n: 1, device, by: carl })),
      execute(send('from a stranger', { n: 1, device: randomUUID(), by: randomUUID() })),
      execute(send('goes on', { n: 4 })),
    ];
    const outcomes = await Promise.allSettled(turn);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  it('sends its author’s messages with one append each and no read', async () => {
    const { execute, send, store } = await started();
    const [appends, reads] = [store.appends, store.reads];
    for (let n = 2; n < 12; n++) await execute(send('Hello', { n }));
    expect([store.appends - appends, store.reads - reads]).toEqual([10, 0]);
  });
});

describe('a cold load', () => {
  const MESSAGES = 1_700;

  const filled = async () => {
    const world = await started();
    for (let n = 2; n <= MESSAGES + 1; n++) await world.execute(world.send('Hello', { n }));
    return world;
  };

  it('from a snapshot gives the state that all events give', async () => {
    const { ports, stream } = await filled();
    const { state } = await processOn(ports).streams.look(conversation, stream, 0);
    let whole: Conversation = conversation.initial();
    for (const logged of await ports.store.read(stream, 0)) {
      const event = await ports.codec.decode(logged, false);
      if (event.type === 'ConversationStarted' || event.type === 'MembersAdded')
        whole = conversation.evolve(whole, event, event.revision);
      if (event.type === 'MessageSent') whole = conversation.evolve(whole, event, event.revision);
    }
    expect(whole.head).toBe(MESSAGES + 1);
    expect(state).toEqual(whole);
  });

  it('from many devices’ snapshot keeps every n, and knows old repeats', async () => {
    const world = await started();
    const devices = Array.from({ length: 50 }, () => randomUUID());
    const firsts: SendMessage[] = [];
    for (let n = 1; n <= 41; n++)
      for (const device of devices) {
        const command = world.send(`message ${n}`, { n, device, by: BEN });
        if (n === 1) firsts.push(command);
        await world.execute(command);
      }
    const cold = processOn(world.ports);
    for (const command of firsts.slice(0, 3))
      expect(await cold.execute(command)).toMatchObject({ duplicate: true });
    for (const device of devices) {
      const next = await cold.execute(world.send('next', { n: 42, device, by: BEN }));
      expect(next).toMatchObject({ duplicate: false });
    }
  });

  it(`reads at most ${SNAPSHOT_EVERY} events, however long the history`, async () => {
    const { ports, send } = await filled();
    const cold = processOn(ports);
    await cold.execute(send('Hello', { n: MESSAGES + 2 }));
    expect(cold.store.eventsRead).toBeLessThanOrEqual(SNAPSHOT_EVERY);
  });

  it('[Z13] goes on with the rolling hash where it stood', async () => {
    const { ports, send, stream } = await filled();
    const cold = processOn(ports);
    await cold.execute(send('after a snapshot', { n: MESSAGES + 2 }));
    await Promise.all(
      [3, 4, 5].map((more) => cold.execute(send('in one turn', { n: MESSAGES + more }))),
    );
    await expectLinked(ports, stream);
  });

  it(`[Z13] of a snapshot with nothing after it, too`, async () => {
    const { ports, execute, send, stream } = await started();
    for (let n = 2; n < SNAPSHOT_EVERY; n++) await execute(send('Hello', { n }));
    expect((await ports.store.last(`snapshot-${stream}`))?.data['revision']).toBe(
      (await ports.store.last(stream))?.revision,
    );
    await processOn(ports).execute(send('Hello', { n: SNAPSHOT_EVERY }));
    await expectLinked(ports, stream);
  });
});

describe('the memory for states', () => {
  it('is bounded, and what was let go is loaded again', async () => {
    const { ports } = await started({ STATE_CACHE_MB: '1' });
    const here = processOn(ports);
    const rooms = Array.from({ length: 1_500 }, () => room());
    for (const { start } of rooms) await here.execute(start());
    const [first] = rooms;
    const reads = here.store.reads;
    const said = first && (await here.execute(first.send('still here', { n: 2 })));
    expect(said).toMatchObject({ data: { seq: 2 } });
    expect(here.store.reads).toBeGreaterThan(reads);
  });
});
