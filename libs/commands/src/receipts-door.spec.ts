import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import {
  conversation,
  FollowBroadcast,
  audience,
  receiptStreamOf,
  SendMessage,
  StartConversation,
  type ConversationKind,
  type Mark,
} from '#domain';
import { AccessTokens, eventIdOf } from '#platform';
import { FaultyStore, memoryPorts } from '#testing';
import { AccountNews } from './account-news.js';
import { Decides } from './handled.js';
import { ReceiptsDoor } from './receipts-door.js';
import { Streams } from './streams.js';
import { Welcome } from './welcome.js';

const [ADA, BEN] = [randomUUID(), randomUUID()];
const DEVICE = randomUUID();
const TICK_MS = 20;

const meta = (stream: string, actor: string) => {
  const commandId = randomUUID();
  const eventId = eventIdOf(stream, DEVICE, commandId);
  const at = '2026-11-23T12:00:00.000Z';
  return {
    commandId,
    eventId,
    actor,
    device: DEVICE,
    once: true as const,
    at,
    correlationId: commandId,
  };
};
const world = (settings: Readonly<Record<string, string>> = {}) => {
  const shared = memoryPorts({ RECEIPT_TICK_MS: String(TICK_MS), ...settings });
  const store = new FaultyStore(shared.store);
  const ports = { ...shared, store };
  const streams = new Streams(ports);
  const tokens = new AccessTokens(ports.keys, ports.clock, 600);
  const news = new AccountNews(ports, tokens, streams);
  const door = new ReceiptsDoor(ports, streams, new Welcome(streams, news));
  const handler = new (Decides(conversation))(streams);
  const marksOf = async (conversationId: string) => {
    const events = await shared.store.read(receiptStreamOf(conversationId), 0);
    const read = await Promise.all(events.map(async (event) => shared.codec.decode(event, false)));
    // Another conversation may have the same shard.
    return read
      .map((event) => (event.type === 'MarksMoved' ? event.data.marks : []))
      .map((marks) => marks.filter(([id]) => id === conversationId))
      .filter((marks) => marks.length > 0);
  };
  const talk = async (
    messages: number,
    members: readonly string[] = [BEN],
    kind: ConversationKind = 'group',
  ) => {
    const conversationId = randomUUID();
    const by = meta(`conversation-${conversationId}`, ADA);
    await handler.execute(
      new StartConversation({ conversationId, kind, name: 'Choir', members }, by),
    );
    for (let count = 0; count < messages; count++)
      await handler.execute(
        new SendMessage(
          { conversationId, text: 'Hello' },
          meta(`conversation-${conversationId}`, ADA),
        ),
      );
    return conversationId;
  };
  return { door, store, streams, talk, marksOf };
};

const read = (conversationId: string, seq: number, userId = BEN) =>
  ({ conversationId, userId, device: DEVICE, kind: 'read', seq }) as const;

describe('a mark', () => {
  it('is in the log when it is answered, with the number of messages at its place', async () => {
    const { door, talk, marksOf } = world();
    const conversationId = await talk(3);
    const accepted = await door.mark(read(conversationId, 3));
    expect(accepted).toMatchObject({ duplicate: false, data: { kind: 'read', seq: 3 } });
    expect(await marksOf(conversationId)).toEqual([[[conversationId, BEN, DEVICE, 1, 3, 2]]]);
  });

  it('[V11] in the future is clamped to the head', async () => {
    const { door, talk, marksOf } = world();
    const conversationId = await talk(2);
    await door.mark(read(conversationId, 4_000));
    expect(await marksOf(conversationId)).toEqual([[[conversationId, BEN, DEVICE, 1, 3, 2]]]);
  });

  it('[V11] that goes back changes nothing', async () => {
    const { door, talk, marksOf } = world();
    const conversationId = await talk(3);
    await door.mark(read(conversationId, 4));
    expect(await door.mark(read(conversationId, 2))).toMatchObject({ duplicate: true });
    expect(await marksOf(conversationId)).toHaveLength(1);
  });

  it('of a stranger is refused as if there were no such conversation', async () => {
    const { door, talk, marksOf } = world();
    const conversationId = await talk(1);
    const refusal: unknown = expect.objectContaining({ code: 'not_found' });
    await expect(door.mark(read(conversationId, 1, randomUUID()))).rejects.toEqual(refusal);
    await expect(door.mark(read(randomUUID(), 1))).rejects.toEqual(refusal);
    expect(await marksOf(conversationId)).toHaveLength(0);
  });

  it('at an old place finds its number in the log', async () => {
    const { door, talk, marksOf } = world();
    const conversationId = await talk(200);
    await door.mark(read(conversationId, 50));
    expect(await marksOf(conversationId)).toEqual([[[conversationId, BEN, DEVICE, 1, 50, 49]]]);
  });

  it('is taken from a follower of a broadcast', async () => {
    const { door, talk, streams } = world();
    const conversationId = await talk(2, [], 'broadcast');
    const follower = randomUUID();
    const by = meta(`audience-${conversationId}`, follower);
    await new (Decides(audience))(streams).execute(new FollowBroadcast({ conversationId }, by));
    expect(await door.mark(read(conversationId, 2, follower))).toMatchObject({ duplicate: false });
  });

  it('survives an outage of the log', async () => {
    const { door, talk, store, marksOf } = world();
    const conversationId = await talk(1);
    store.isDown = true;
    const marking = door.mark(read(conversationId, 1));
    setTimeout(() => (store.isDown = false), 5 * TICK_MS);
    expect(await marking).toMatchObject({ duplicate: false });
    expect(await marksOf(conversationId)).toHaveLength(1);
  });
});

describe('a mark that was asked for before', () => {
  it('[V11] [V1] is not answered before it is in the log, whoever asked first', async () => {
    const { door, talk, store, marksOf } = world();
    const conversationId = await talk(2);
    store.isDown = true;
    const first = door.mark(read(conversationId, 2));
    let isAnswered = false;
    const second = door.mark(read(conversationId, 1)).finally(() => (isAnswered = true));
    await new Promise((resolve) => setTimeout(resolve, 5 * TICK_MS));
    expect(isAnswered).toBe(false);
    store.isDown = false;
    await Promise.all([first, second]);
    const marks = (await marksOf(conversationId)).flat();
    expect(Math.max(...marks.map(([, , , , seq]: Mark) => seq))).toBe(2);
  });

  it('[V11] is taken again where it was lost', async () => {
    const { door, talk, store, marksOf } = world();
    const conversationId = await talk(1);
    const lost = new Error('The disk is full.');
    const failing = vi.spyOn(store, 'append').mockRejectedValue(lost);
    await expect(door.mark(read(conversationId, 1))).rejects.toBe(lost);
    failing.mockRestore();
    expect(await door.mark(read(conversationId, 1))).toMatchObject({ duplicate: false });
    expect(await marksOf(conversationId)).toHaveLength(1);
  });
});

describe('a tick', () => {
  it('carries many marks as one event, and of one register only the furthest', async () => {
    const { door, talk, marksOf } = world();
    const people = Array.from({ length: 100 }, () => randomUUID());
    const conversationId = await talk(3, people);
    for (const seq of [1, 2, 3])
      door.delivered(people.map((userId) => ({ conversationId, userId, device: DEVICE, seq })));
    await door.flush();
    const [marks = [], ...more] = await marksOf(conversationId);
    expect(more).toHaveLength(0);
    expect(marks.map(([, userId, , kind, seq]: Mark) => [userId, kind, seq])).toEqual(
      people.map((userId) => [userId, 0, 3]),
    );
  });

  it('splits what is too much for one event', async () => {
    const { door, talk, marksOf } = world();
    const people = Array.from({ length: 1_000 }, () => randomUUID());
    const conversationId = await talk(1, people);
    door.delivered(people.map((userId) => ({ conversationId, userId, device: DEVICE, seq: 1 })));
    await door.flush();
    const events = await marksOf(conversationId);
    expect(events.flat()).toHaveLength(1_000);
    for (const marks of events) expect(JSON.stringify(marks).length).toBeLessThanOrEqual(65_536);
  });

  it('[M13] above a number of members that is set keeps only read marks', async () => {
    const most = 40;
    const { door, talk, marksOf } = world({ FANOUT_DELIVERED_MEMBERS_MAX: String(most) });
    const userId = randomUUID();
    // With the owner one more than that.
    const others = Array.from({ length: most - 1 }, () => randomUUID());
    const fitting = await talk(1, others);
    door.delivered(
      others.map((one) => ({ conversationId: fitting, userId: one, device: DEVICE, seq: 1 })),
    );
    await door.flush();
    expect((await marksOf(fitting)).flat()).toHaveLength(most - 1);
    const conversationId = await talk(1, [userId, ...others]);
    door.delivered([{ conversationId, userId, device: DEVICE, seq: 1 }]);
    await door.mark({ conversationId, userId, device: DEVICE, kind: 'delivered', seq: 1 });
    await door.flush();
    expect(await marksOf(conversationId)).toHaveLength(0);
    await door.mark(read(conversationId, 1, userId));
    expect(await marksOf(conversationId)).toHaveLength(1);
  });

  it('is brought to the log before the process ends', async () => {
    const { door, talk, marksOf } = world({ RECEIPT_TICK_MS: '60000' });
    const conversationId = await talk(1);
    door.delivered([{ conversationId, userId: BEN, device: DEVICE, seq: 1 }]);
    await door.onApplicationShutdown();
    expect(await marksOf(conversationId)).toHaveLength(1);
  });
});
