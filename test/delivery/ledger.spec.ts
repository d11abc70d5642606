import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Sent } from '#client';
import { startPlatform, until, type Platform } from '#testing';
import { ask, someone, type Someone } from './someone.js';

const time = z.iso.datetime();
const attempt = z.strictObject({
  path: z.enum(['socket', 'sync']),
  at: time,
  result: z.enum(['acknowledged', 'waiting', 'lost']),
  reason: z.string().optional(),
  hadIt: z.literal(true).optional(),
  connection: z.string(),
});
const device = z.strictObject({
  deviceId: z.string(),
  state: z.enum(['delivered', 'told', 'failed', 'sent']),
  deliveredAt: time.optional(),
  attempts: z.array(attempt),
});
const member = z.strictObject({
  userId: z.string(),
  isAuthor: z.boolean(),
  state: z.enum(['read', 'delivered', 'sent']),
  deliveredAt: time.optional(),
  readAt: time.optional(),
  devices: z.array(device),
});
const page = z.strictObject({ items: z.array(member), cursor: z.string().optional() });
type Member = z.infer<typeof member>;

let platform: Platform;
let ada: Someone;
let ben: Someone;
let eve: Someone;
let eveTablet: Someone;
let zoe: Someone;
let room: string;

beforeAll(async () => {
  platform = await startPlatform();
  ada = await someone(platform, 'Ada');
  ben = await someone(platform, 'Ben');
  eve = await someone(platform, 'Eve');
  eveTablet = await someone(platform, 'Eve', eve.phone);
  zoe = await someone(platform, 'Zoe');
  for (const { client } of [ada, ben, eve]) await client.connect();
  const members = [ben, eve, zoe].map(({ userId }) => userId);
  const started = await ada.client.startGroup({ name: 'Group', members });
  room = started.conversationId;
  await ada.client.conversation(room, { minPosition: started.position });
});
afterAll(async () => {
  for (const { client } of [ada, ben, eve, eveTablet, zoe]) await client.close();
  await platform.stop();
});

/** The whole ledger of a message, page by page. */
const ledgerOf = async (
  { messageId, position }: Sent,
  limit = 200,
): Promise<Map<string, Member>> => {
  const people = new Map<string, Member>();
  let cursor: string | undefined;
  do {
    const query = `limit=${limit}&minPosition=${position}${cursor === undefined ? '' : `&cursor=${cursor}`}`;
    const path = `/v1/conversations/${room}/messages/${messageId}/deliveries?${query}`;
    const { body } = await ask(platform, ada, path);
    const read = page.parse(body);
    for (const one of read.items) people.set(one.userId, one);
    cursor = read.cursor;
  } while (cursor !== undefined);
  return people;
};

const deviceIn = (people: Map<string, Member>, { userId, deviceId }: Someone) =>
  people.get(userId)?.devices.find((one) => one.deviceId === deviceId);

const shows = (one: Someone, messageId: string) =>
  until(() => one.facts.some(({ id }) => id === messageId));

/** Waits until the ledger says something, and gives it. */
const untilIn = async (
  sent: Sent,
  holds: (people: Map<string, Member>) => boolean,
): Promise<Map<string, Member>> => {
  let people = new Map<string, Member>();
  await until(async () => holds((people = await ledgerOf(sent))));
  return people;
};

const traced = z.object({
  id: z.string(),
  type: z.string(),
  seq: z.number(),
  correlationId: z.string(),
  causationId: z.string(),
});
const trace = z.object({
  command: z.object({ id: z.string(), actor: z.string(), device: z.string() }),
  events: z.array(traced.extend({ caused: z.array(traced), deliveries: page.optional() })),
});

describe('the trace of a command', () => {
  it('[Z9] leads from a tap to the event, every attempt and every receipt', async () => {
    const id = randomUUID();
    const { messageId, position, seq } = await ada.client.send(room, 'trace me', { id });
    await shows(ben, messageId);
    await ben.client.markRead(room, seq);
    const path = `/v1/commands/${id}/trace?minPosition=${position}`;
    await until(async () => {
      const { body } = await ask(platform, ada, path);
      const [event] = trace.parse(body).events;
      return event?.deliveries?.items.some(
        ({ readAt, devices }) => readAt && devices[0]?.attempts[0]?.result === 'acknowledged',
      );
    });
    const found = trace.parse((await ask(platform, ada, path)).body);
    expect(found.command).toEqual({ id, actor: ada.userId, device: ada.deviceId });
    expect(found.events).toMatchObject([{ id: messageId, type: 'MessageSent', causationId: id }]);
    expect((await ask(platform, ben, path)).status).toBe(404);
  });

  it('[Z9] tells what a policy did because of it', async () => {
    const names = [`first_${ada.userId.slice(0, 8)}`, `then_${ada.userId.slice(0, 8)}`];
    const choose = async (username: string): Promise<string> => {
      const key = randomUUID();
      await fetch(`${platform.url.rest}/v1/me/username`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${ada.token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify({ username }),
      });
      return key;
    };
    await choose(names[0] ?? '');
    const path = `/v1/commands/${await choose(names[1] ?? '')}/trace`;
    await until(async () => {
      const { body } = await ask(platform, ada, path);
      return trace.parse(body).events[0]?.caused.length === 1;
    });
    const [event] = trace.parse((await ask(platform, ada, path)).body).events;
    expect(event).toMatchObject({
      type: 'UsernameChosen',
      caused: [
        { type: 'ClaimReleased', causationId: event?.id, correlationId: event?.correlationId },
      ],
    });
  });
});

describe('the delivery ledger of a message', () => {
  it('[Z4] [D1] [D2] [D3] [D7] tells by device who got it, when and by which path, and who did not', async () => {
    const sent = await ada.client.send(room, 'to all of you');
    await shows(ben, sent.messageId);
    await shows(eve, sent.messageId);
    const early = await untilIn(sent, (people) =>
      [ben, eve].every((one) => deviceIn(people, one)?.attempts.length === 1),
    );
    expect([...early.keys()].toSorted()).toEqual(
      [ada, ben, eve, zoe].map(({ userId }) => userId).toSorted(),
    );
    expect(deviceIn(early, zoe)).toEqual({ deviceId: zoe.deviceId, state: 'sent', attempts: [] });
    expect(deviceIn(early, eveTablet)).toMatchObject({ state: 'sent', attempts: [] });

    const late = await untilIn(sent, (people) => deviceIn(people, ben)?.deliveredAt !== undefined);
    const [live] = deviceIn(late, ben)?.attempts ?? [];
    expect(live).toMatchObject({ path: 'socket', result: 'acknowledged', at: sent.at });
    expect(late.get(ben.userId)).toMatchObject({ isAuthor: false, state: 'delivered' });
    expect(Date.parse(late.get(ben.userId)?.deliveredAt ?? '')).toBeGreaterThan(
      Date.parse(sent.at),
    );
    expect(late.get(ada.userId)).toMatchObject({ isAuthor: true });
  });

  it('[Z4] tells of what was missed and came by sync', async () => {
    await zoe.client.connect();
    await zoe.client.close();
    const sent = await ada.client.send(room, 'while you were away');
    // It knows where it stood.
    await zoe.client.connect();
    await shows(zoe, sent.messageId);
    const people = await untilIn(
      sent,
      (found) => deviceIn(found, zoe)?.attempts[0]?.result === 'acknowledged',
    );
    expect(deviceIn(people, zoe)).toMatchObject({
      state: 'delivered',
      attempts: [{ path: 'sync', result: 'acknowledged' }],
    });
  });

  it('[Z4] [D4] [D6] says who read it and when', async () => {
    const sent = await ada.client.send(room, 'read me');
    await shows(ben, sent.messageId);
    await ben.client.markRead(room, sent.seq);
    const people = await untilIn(sent, (found) => found.get(ben.userId)?.readAt !== undefined);
    expect(people.get(ben.userId)?.state).toBe('read');
    expect(people.get(eve.userId)?.state).not.toBe('read');
  });

  it('[Z4] [D5] says that an attempt was lost, and why', async () => {
    const gone = new Promise<void>((resolve) => {
      eve.client.on('fact', () => {
        // Before it acknowledges, which it does after 100 ms.
        eve.client.interrupt();
        resolve();
      });
    });
    const sent = await ada.client.send(room, 'into the void');
    await gone;
    const people = await untilIn(
      sent,
      (found) => deviceIn(found, eve)?.attempts[0]?.result === 'lost',
    );
    const [attempted] = deviceIn(people, eve)?.attempts ?? [];
    expect(attempted).toMatchObject({ path: 'socket', result: 'lost' });
    expect(attempted?.reason).toMatch(/transport/);
    // It had it all the same, and says so when it comes back.
    const later = await untilIn(sent, (found) => deviceIn(found, eve)?.deliveredAt !== undefined);
    expect(deviceIn(later, eve)).toMatchObject({
      state: 'delivered',
      attempts: [{ path: 'socket', result: 'lost', hadIt: true }],
    });
  });

  it('[Z4] counts those who were there when it was said, page by page, and no others', async () => {
    await ada.client.removeMember(room, zoe.userId);
    const late = await someone(platform, 'Late');
    const sent = await ada.client.send(room, 'without you');
    await ada.client.addMembers(room, [late.userId, zoe.userId]);
    const { position } = await ada.client.send(room, 'now with you');
    await ada.client.conversation(room, { minPosition: position });
    const people = await ledgerOf(sent, 1);
    const there = [ada, ben, eve].map(({ userId }) => userId).toSorted();
    expect([...people.keys()].toSorted()).toEqual(there);
    await late.client.close();
  });

  it('[Z4] is for the author alone', async () => {
    const { messageId } = await ada.client.send(room, 'whose business is it?');
    const path = `/v1/conversations/${room}/messages/${messageId}/deliveries`;
    await until(async () => (await ask(platform, ada, path)).status === 200);
    expect(await ask(platform, ben, path)).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    });
    const stranger = await someone(platform, 'Stranger');
    expect((await ask(platform, stranger, path)).status).toBe(404);
    await stranger.client.close();
  });
});
