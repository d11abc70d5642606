import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryStorage, Scripta, type Breach, type Fact } from '#client';
import {
  newDevice,
  newPerson,
  startPlatform,
  textsOf,
  until,
  type Device,
  type Platform,
} from '#testing';
import { startForger, type Forger, type Tamper } from './forger.js';

let platform: Platform;
let forger: Forger;
let ada: Device;

/** Someone behind the man in the middle, and what their client finds. */
const behind = async () => {
  const storage = new MemoryStorage();
  const { client, facts, phone } = await newDevice({ url: forger.url, storage }, { name: 'Ben' });
  const breaches: Breach[] = [];
  client.on('integrity', (breach) => breaches.push(breach));
  await client.connect();
  return { client, facts, phone, storage, breaches };
};

/** The same device, run again on what it has stored. */
const again = async ({ storage }: Readonly<{ storage: MemoryStorage }>) => {
  const client = new Scripta({ url: forger.url, storage });
  const [facts, breaches]: [Fact[], Breach[]] = [[], []];
  client.on('fact', (fact) => facts.push(fact));
  client.on('integrity', (breach) => breaches.push(breach));
  await client.connect();
  return { client, facts, breaches };
};

const groupWith = async (userId: string): Promise<string> => {
  const { conversationId } = await ada.client.startGroup({ name: 'Group', members: [userId] });
  return conversationId;
};

const textOf = (fact: Fact): string => (fact.type === 'message.sent' ? fact.data.text : '');

const inOrder: Tamper = (facts) => facts.toSorted((one, other) => one.seq - other.seq);

/** Of what is said, "one", "two" and "three" fall to the man in the middle. */
const TAMPERS: Readonly<Record<string, Tamper>> = {
  'hides one message': (facts) => facts.filter((fact) => textOf(fact) !== 'one'),
  'hides one message and moves up the others': (facts) =>
    facts.flatMap((fact) => {
      if (textOf(fact) === 'one') return [];
      return ['two', 'three'].includes(textOf(fact)) ? [{ ...fact, seq: fact.seq - 1 }] : [fact];
    }),
  'alters one text': (facts) =>
    facts.map((fact) =>
      fact.type === 'message.sent' && fact.data.text === 'one'
        ? { ...fact, data: { ...fact.data, text: 'two hundred' } }
        : fact,
    ),
  'alters a time': (facts) =>
    facts.map((fact) => (textOf(fact) === 'one' ? { ...fact, at: '2020-01-01T00:00:00Z' } : fact)),
  'swaps two messages': (facts) =>
    inOrder(
      facts.map((fact) => {
        const by = { one: 1, two: -1 }[textOf(fact)] ?? 0;
        return { ...fact, seq: fact.seq + by };
      }),
    ),
};

const say = async (conversationId: string): Promise<void> => {
  for (const text of ['one', 'two', 'three']) await ada.client.send(conversationId, text);
};

beforeAll(async () => {
  platform = await startPlatform();
  forger = await startForger(platform.url);
  ada = await newPerson({ url: platform.url }, 'Ada');
});

afterAll(async () => {
  await ada?.client.close();
  await forger?.close();
  await platform?.stop();
});

describe('[Z13] a man in the middle', () => {
  it('who changes nothing is not accused, whoever comes, goes, renames or asks', async () => {
    const ben = await behind();
    const conversationId = await groupWith(ben.client.userId);
    await say(conversationId);
    await ada.client.removeMember(conversationId, ben.client.userId);
    await say(conversationId);
    await ada.client.addMembers(conversationId, [ben.client.userId]);
    await ada.client.rename(conversationId, 'Tea');
    await ben.client.send(conversationId, 'back');
    ben.client.interrupt();
    await say(conversationId);
    await until(() => textsOf(ben.facts).length === 7);
    await ben.client.leave(conversationId);
    await ben.client.close();
    const { position } = await ada.client.addMembers(conversationId, [ben.client.userId]);
    await say(conversationId);
    const next = await again(ben);
    await until(() => textsOf(next.facts).length === 3);
    const { items } = await next.client.history(conversationId, { minPosition: position });
    expect(textsOf(items).length).toBeGreaterThanOrEqual(7);
    const { conversationId: news } = await ada.client.startBroadcast({ name: 'News', members: [] });
    for (let time = 0; time < 2; time++) {
      await next.client.follow(news);
      await ada.client.send(news, `news ${time}`);
      await until(() => textsOf(next.facts, news).length === time + 1);
      await next.client.unfollow(news);
      await ada.client.send(news, 'unheard');
    }
    expect([...ben.breaches, ...next.breaches]).toEqual([]);
    await next.client.close();
  });

  it.each(Object.entries(TAMPERS))('who %s is caught live', async (_, tamper) => {
    const ben = await behind();
    const conversationId = await groupWith(ben.client.userId);
    await ada.client.send(conversationId, 'before');
    await until(() => textsOf(ben.facts).includes('before'));
    expect(ben.breaches).toEqual([]);
    forger.tamper(tamper);
    await say(conversationId);
    await until(() => textsOf(ben.facts).includes('three'));
    expect(ben.breaches.length).toBeGreaterThan(0);
    expect(ben.breaches[0]).toMatchObject({ conversationId });
    forger.tamper(undefined);
    await ben.client.close();
  });

  it.each(Object.entries(TAMPERS))('who %s is caught at the next sync', async (_, tamper) => {
    const ben = await behind();
    const conversationId = await groupWith(ben.client.userId);
    await ada.client.send(conversationId, 'before');
    await until(() => textsOf(ben.facts).includes('before'));
    await ben.client.close();
    await say(conversationId);
    forger.tamper(tamper);
    const next = await again(ben);
    await until(() => textsOf(next.facts).includes('three'));
    expect(next.breaches.length).toBeGreaterThan(0);
    expect(next.breaches[0]).toMatchObject({ conversationId });
    forger.tamper(undefined);
    await next.client.close();
  });

  it('who alters what was shown long ago is caught by a page of history', async () => {
    const ben = await behind();
    const conversationId = await groupWith(ben.client.userId);
    await say(conversationId);
    await until(() => textsOf(ben.facts).includes('three'));
    const { position } = await ada.client.send(conversationId, 'after');
    await until(() => textsOf(ben.facts).includes('after'));
    const found = async (tamper: Tamper | undefined) => {
      const before = ben.breaches.length;
      forger.tamper(tamper);
      await ben.client.history(conversationId, { minPosition: position });
      return ben.breaches.slice(before).map(({ reason }) => reason);
    };
    expect(await found(undefined)).toEqual([]);
    expect(await found(TAMPERS['hides one message'])).toEqual(['gap']);
    expect(await found(TAMPERS['alters one text'])).toEqual(['altered']);
    expect(await found(TAMPERS['alters a time'])).toEqual(['forked']);
    forger.tamper(undefined);
    await ben.client.close();
  });
});
