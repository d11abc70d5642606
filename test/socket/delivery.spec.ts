import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MemoryStorage, Scripta, type Fact, type MovedMark } from '#client';
import { openPorts } from '#commands';
import { readConfig } from '#platform';
import {
  isGiven,
  newDevice,
  newPerson,
  startPlatform,
  textsOf,
  until,
  type Device,
  type Platform,
} from '#testing';
import { FileStorage } from '../../libs/client/src/file-storage.js';
import { connectBare, type Bare } from './wire.js';

let platform: Platform;
const devices: Device[] = [];

const person = async (name: string): Promise<Device> => {
  const device = await newPerson({ url: platform.url }, name);
  devices.push(device);
  return device;
};

/** Another device of the same person, connected. */
const another = async ({ phone }: Device): Promise<Device> => {
  const device = await newDevice({ url: platform.url }, { phone });
  devices.push(device);
  await device.client.connect();
  return device;
};

/** A group of some people, begun by the first. */
const groupOf = async (owner: Device, ...others: readonly Device[]): Promise<string> => {
  const members = others.map(({ client }) => client.userId);
  const { conversationId, position } = await owner.client.startGroup({ name: 'Group', members });
  await owner.client.conversation(conversationId, { minPosition: position });
  return conversationId;
};

/** A generator of chance that a seed repeats (mulberry32). */
const chanceOf = (seed: number) => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const pick = <T>(among: readonly T[], chance: () => number): T => {
  const picked = among[Math.floor(chance() * among.length)];
  if (picked === undefined) throw new Error('There is nothing to pick from.');
  return picked;
};

const seqsOf = (facts: readonly Fact[], conversationId: string): number[] =>
  facts.filter((fact) => fact.conversationId === conversationId).map(({ seq }) => seq);

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

/**
 * Every device has shown all that was said in a room, each thing once, in one order: that of seq.
 */
const expectSame = async (
  devicesFacts: readonly (readonly Fact[])[],
  room: string,
  said: readonly string[],
): Promise<void> => {
  for (const facts of devicesFacts) await until(() => textsOf(facts, room).length >= said.length);
  const [order = []] = devicesFacts.map((facts) => textsOf(facts, room));
  expect(order.toSorted()).toEqual(said.toSorted());
  for (const facts of devicesFacts) {
    expect(textsOf(facts, room)).toEqual(order);
    const seqs = seqsOf(facts, room);
    expect(seqs).toEqual(range(seqs[0] ?? 0, seqs.at(-1) ?? 0));
  }
};

beforeAll(async () => {
  platform = await startPlatform();
});

afterAll(async () => {
  await Promise.all(devices.map(({ client }) => client.close()));
  await platform?.stop();
});

const readsOf = (marks: readonly MovedMark[]) => marks.filter(({ kind }) => kind === 'read');

describe('two people', () => {
  it('hear each other, each message once, in one order, with its place', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const conversationId = await groupOf(ada, ben);
    const first = await ada.client.send(conversationId, 'hello');
    const second = await ben.client.send(conversationId, 'hi');
    expect(second.seq).toBe(first.seq + 1);
    expect(second.number).toBe(2);
    for (const { facts } of [ada, ben])
      await until(() => textsOf(facts, conversationId).length === 2);
    for (const { facts } of [ada, ben])
      expect(textsOf(facts, conversationId)).toEqual(['hello', 'hi']);
    const heard = ben.facts.find(({ id }) => id === first.messageId);
    expect(heard).toMatchObject({ seq: first.seq, actor: ada.client.userId });
    expect(seqsOf(ada.facts, conversationId)).toEqual(range(0, second.seq));
    // A newcomer's first fact is that they were added.
    expect(seqsOf(ben.facts, conversationId)).toEqual(range(1, second.seq));
  });

  it('find their direct conversation from either side', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const { conversationId } = await ada.client.startDirect(ben.client.userId);
    expect((await ben.client.startDirect(ada.client.userId)).conversationId).toBe(conversationId);
    await ben.client.send(conversationId, 'just us');
    await until(() => textsOf(ada.facts, conversationId).length === 1);
  });

  it('[V11] learn how far their messages have got, and marks never go back', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const conversationId = await groupOf(ada, ben);
    const marks: MovedMark[] = [];
    ada.client.on('receipts.moved', (moved) => marks.push(...moved.marks));
    const tablet = await another(ben);
    const read: MovedMark[] = [];
    tablet.client.on('receipts.moved', (moved) => read.push(...moved.marks));
    const { seq } = await ada.client.send(conversationId, 'has it arrived?');
    const of = (kind: string) => marks.filter((mark) => mark.kind === kind && mark.seq === seq);
    await until(() => of('delivered').length > 0);
    expect(of('delivered')[0]).toMatchObject({ conversationId, userId: ben.client.userId });
    await ben.client.markRead(conversationId, seq);
    await until(() => of('read').length > 0);
    await until(() => read.some((mark) => mark.kind === 'read' && mark.seq === seq));
    await ben.client.markRead(conversationId, 1);
    const last = await ada.client.send(conversationId, 'and this?');
    const { position } = await ben.client.markRead(conversationId, last.seq);
    await until(() => marks.some((mark) => mark.kind === 'read' && mark.seq === last.seq));
    for (const kind of ['read', 'delivered']) {
      const seqs = marks.filter((mark) => mark.kind === kind).map((mark) => mark.seq);
      expect(seqs).toEqual(seqs.toSorted((one, other) => one - other));
    }
    const item = await ben.client.conversation(conversationId, { minPosition: position });
    expect(item).toMatchObject({ read: last.seq, unread: 0 });
  });

  it('[A16] read privately where they want to: only their own devices know', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const conversationId = await groupOf(ada, ben);
    const tablet = await another(ben);
    const [told, own]: [MovedMark[], MovedMark[]] = [[], []];
    ada.client.on('receipts.moved', ({ marks }) => told.push(...marks));
    tablet.client.on('receipts.moved', ({ marks }) => own.push(...marks));
    const heard: string[] = [];
    tablet.client.on('account', ({ type }) => heard.push(type));
    await ben.client.account.changePrivacy({ receipts: 'nobody' });
    await until(() => heard.length === 1);
    const hidden = await ada.client.send(conversationId, 'did you read this?');
    const { position } = await ben.client.markRead(conversationId, hidden.seq);
    const item = await ben.client.conversation(conversationId, { minPosition: position });
    expect(item).toMatchObject({ read: hidden.seq, unread: 0 });
    await until(() => readsOf(own).some(({ seq }) => seq === hidden.seq));
    await ben.client.account.changePrivacy({ receipts: 'everyone' });
    await until(() => heard.length === 2);
    const shown = await ada.client.send(conversationId, 'and this?');
    await ben.client.markRead(conversationId, shown.seq);
    await until(() => readsOf(told).length > 0);
    expect(readsOf(told).map(({ seq }) => seq)).toEqual([shown.seq]);
  });

  it('[V3] have each message once, whatever becomes of its acknowledgement', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const conversationId = await groupOf(ada, ben);
    const sending: Promise<unknown>[] = [];
    for (let at = 0; at < 20; at++) {
      sending.push(ada.client.send(conversationId, `message ${at}`));
      // The command is on its way, its answer is not.
      if (at % 4 === 3) {
        await new Promise((resolve) => setImmediate(resolve));
        ada.client.interrupt();
      }
    }
    await Promise.all(sending);
    await until(() => textsOf(ben.facts, conversationId).length >= 20);
    expect(textsOf(ben.facts, conversationId)).toEqual(range(0, 19).map((at) => `message ${at}`));
    const id = randomUUID();
    const once = await ada.client.send(conversationId, 'once', { id });
    const again = await ada.client.send(conversationId, 'once', { id });
    expect(again).toMatchObject({ messageId: once.messageId, seq: once.seq, duplicate: true });
    await expect(ada.client.send(conversationId, 'other', { id })).rejects.toMatchObject({
      code: 'id_reused',
    });
    expect((await ada.client.send(conversationId, 'next')).seq).toBe(once.seq + 1);
  });
});

describe('many devices', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

  it(`[V4] [V5] show each message once and in one order, though connections break (seed ${seed})`, async () => {
    const chance = chanceOf(seed);
    const ada = await person('Ada');
    const others = await Promise.all(['Ben', 'Cid', 'Dee'].map((name) => person(name)));
    const people = [ada, ...others];
    const rooms = [await groupOf(ada, ...others), await groupOf(ada, ...others)];
    const all = [...people, await another(ada)];
    const sent = rooms.map((room) => ({ room, texts: new Array<string>() }));
    const sending: Promise<unknown>[] = [];
    for (let at = 0; at < 400; at++) {
      const { client } = pick(people, chance);
      const { room, texts } = pick(sent, chance);
      texts.push(`${at}`);
      sending.push(client.send(room, `${at}`));
      if (chance() < 0.1) pick(all, chance).client.interrupt();
      if (at % 20 === 0) await sleep(10);
    }
    await Promise.all(sending);
    const shown = all.map(({ facts }) => facts);
    for (const { room, texts } of sent) await expectSame(shown, room, texts);
  });

  it('[T49] [abuse 39] take the place of the same device, and are told each thing once', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const conversationId = await groupOf(ada, ben);
    const older = await bareDevice(ada);
    const { cursor } = await catchUp(older, null);
    await ben.client.send(conversationId, 'to the older');
    await until(() => textsOf(older.facts).length === 1);
    const newer = await bareDevice(ada, older.token);
    expect(await older.gone).toBe('io server disconnect');
    expect(older.errors).toEqual([expect.objectContaining({ code: 'replaced' })]);
    const missed = await catchUp(newer, cursor, 200, older.facts.at(-1));
    await ben.client.send(conversationId, 'to the newer');
    await until(() => textsOf(newer.facts).length === 1);
    expect(textsOf(older.facts)).toEqual(['to the older']);
    expect(textsOf([...missed.facts, ...newer.facts])).toEqual(['to the newer']);
    expect(newer.socket.connected).toBe(true);
    newer.socket.disconnect();
  });

  it('[V4] go on where they stood after a restart of the client, from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scripta-client-'));
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const conversationId = await groupOf(ada, ben);
    const shown: string[] = [];
    const sent: string[] = [];
    let phone = '';
    for (let run = 0; run < 3; run++) {
      const storage = new FileStorage(join(folder, 'ben.jsonl'));
      const device =
        run === 0
          ? await newDevice({ url: platform.url, storage }, { phone: ben.phone })
          : { client: new Scripta({ url: platform.url, storage }), phone };
      ({ phone } = device);
      device.client.on('message.sent', ({ data }) => shown.push(data.text));
      await device.client.connect();
      for (let at = 0; at < 5; at++) {
        const { data } = { data: `run ${run}, message ${at}` };
        sent.push(data);
        await ada.client.send(conversationId, data);
      }
      await until(() => shown.length >= sent.length);
      await device.client.close();
      sent.push(`while away ${run}`);
      await ada.client.send(conversationId, `while away ${run}`);
      await storage.close();
    }
    expect(shown).toEqual(sent.slice(0, -1));
    await rm(folder, { recursive: true });
  });
});

const tokenOf = async ({ phone }: Device): Promise<string> => {
  const { rest } = platform.url;
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const response = await fetch(`${rest}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return z.record(z.string(), z.coerce.string()).parse(await response.json());
  };
  const { requestId } = await post('/v1/auth/codes', { phone });
  const device = { name: 'bare', platform: 'test' };
  const tokens = await post('/v1/auth/tokens', { requestId, code: '123456', device });
  return tokens['accessToken'] ?? '';
};

/** A bare device that resumes by hand and never acknowledges by itself; with a token, again. */
const bareDevice = async (
  who: Device,
  known?: string,
): Promise<Bare & { facts: Fact[]; token: string }> => {
  const token = known ?? (await tokenOf(who));
  const bare = await connectBare(platform.url.socket, token);
  const facts: Fact[] = [];
  bare.socket.on('message.sent', (fact: Fact) => facts.push(fact));
  for (const type of ['member.removed', 'members.added'])
    bare.socket.on(type, (fact: Fact) => facts.push(fact));
  return { ...bare, facts, token };
};

type Resumed = { facts: Fact[]; cursor: string; more: boolean; live: boolean };

// The server's pages are as the protocol says; what is in them is what these tests are about.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const pageOf = (data: object | undefined): Resumed => data as Resumed;

/** Pages until live, from a cursor and what was reached since; gives everything of the pages. */
const catchUp = async (bare: Bare, from: string | null, limit = 200, reached?: Fact) => {
  const facts: Fact[] = [];
  for (let cursor = from, after = reached; ;) {
    const { ok, data, error } = await bare.ask('resume', {
      v: 1,
      cursor,
      limit,
      ...(after ? { after: { position: after.position, id: after.id } } : {}),
    });
    if (!ok && error?.retryable) continue;
    expect(error).toBeUndefined();
    const page = pageOf(data);
    after = undefined;
    facts.push(...page.facts);
    ({ cursor } = page);
    if (page.live) return { facts, cursor };
  }
};

describe('a reader', () => {
  it('[T36] that acknowledges nothing is told so at its window, keeps nobody, and catches up', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const conversationId = await groupOf(ada, ben);
    const slow = await bareDevice(ben);
    let behind = 0;
    slow.socket.on('behind', () => (behind += 1));
    const { cursor } = await catchUp(slow, null);
    const total = 400;
    for (let at = 0; at < total; at++) await ada.client.send(conversationId, `${at}`);
    await until(() => textsOf(ben.facts, conversationId).length === total);
    await until(() => behind === 1);
    expect(slow.facts.length).toBe(256);
    const missed = await catchUp(slow, cursor, 200, slow.facts.at(-1));
    const texts = textsOf([...slow.facts, ...missed.facts], conversationId);
    expect(texts).toEqual(range(0, total - 1).map(String));
    const everything = await catchUp(slow, cursor, 50);
    expect(textsOf(everything.facts, conversationId)).toEqual(texts);
    await ada.client.send(conversationId, 'live again');
    await until(() => textsOf(slow.facts).at(-1) === 'live again');
    slow.socket.disconnect();
  });

  it('[abuse 52] of ten thousand conversations gets pages of two hundred', async () => {
    const ada = await person('Ada');
    const bare = await bareDevice(ada);
    const { cursor } = await catchUp(bare, null);
    const total = 10_000;
    bare.socket.disconnect();
    await startMany(ada.client.userId, total);
    await until(() => seqsOfStarts(ada.facts) === total, 60_000);
    const again = await bareDevice(ada, bare.token);
    const tooMany = await again.ask('resume', { v: 1, cursor, limit: 201 });
    expect(tooMany.error?.code).toBe('bad_request');
    const first = await again.ask('resume', { v: 1, cursor });
    expect(pageOf(first.data).facts).toHaveLength(200);
    const { facts } = await catchUp(again, cursor);
    expect(new Set(facts.map(({ id }) => id)).size).toBe(total);
    again.socket.disconnect();
  }, 180_000);
});

/** Groups of one person, straight into the log. */
const startMany = async (by: string, total: number): Promise<void> => {
  const { ports, close } = await openPorts(readConfig(platform.settings));
  const start = async () => {
    const [conversationId, id] = [randomUUID(), randomUUID()];
    const stamp = { by, at: new Date().toISOString(), origin: { command: id } };
    const data = { ...stamp, conversationId, kind: 'group' as const, name: 'Group' };
    const envelope = { id, correlationId: id, causationId: id };
    const sealed = await ports.codec.encode({ type: 'ConversationStarted', data }, envelope);
    await ports.store.append(`conversation-${conversationId}`, -1, [sealed]);
  };
  for (let at = 0; at < total; at += 500) await Promise.all(range(1, 500).map(start));
  await close();
};

const seqsOfStarts = (facts: readonly Fact[]): number =>
  facts.filter(({ type }) => type === 'conversation.started').length;

describe('[V8] a removed member receives nothing that was said after', () => {
  let ada: Device;
  let ben: Device;
  let conversationId: string;

  const setUp = async () => {
    [ada, ben] = [await person('Ada'), await person('Ben')];
    conversationId = await groupOf(ada, ben);
  };
  const say = (text: string) => ada.client.send(conversationId, text);
  const remove = () => ada.client.removeMember(conversationId, ben.client.userId);
  /** What must be there, and what may not. */
  const expectNothingAfter = (facts: readonly Fact[]) => {
    expect(facts.at(-1)?.type).toBe('member.removed');
    expect(textsOf(facts, conversationId)).not.toContain('after');
  };

  it('while connected', async () => {
    await setUp();
    await say('before');
    await remove();
    await say('after');
    await until(() => textsOf(ada.facts).includes('after'));
    await until(() => ben.facts.at(-1)?.type === 'member.removed');
    await ben.client.connect();
    expectNothingAfter(ben.facts);
    await ada.client.addMembers(conversationId, [ben.client.userId]);
    const { position } = await say('back again');
    await until(() => textsOf(ben.facts).at(-1) === 'back again');
    expect(textsOf(ben.facts, conversationId)).toEqual(['before', 'back again']);
    const { items } = await ben.client.history(conversationId, { minPosition: position });
    expect(textsOf(items)).toEqual(['before', 'back again']);
  });

  it('while away', async () => {
    await setUp();
    const bare = await bareDevice(ben);
    const { cursor } = await catchUp(bare, null);
    bare.socket.disconnect();
    await say('before');
    await remove();
    await say('after');
    const again = await bareDevice(ben, bare.token);
    const { facts } = await catchUp(again, cursor);
    expectNothingAfter(facts);
    await say('after');
    await until(() => textsOf(ada.facts).filter((text) => text === 'after').length === 2);
    await again.ask('resume', null);
    expect(again.facts).toEqual([]);
    again.socket.disconnect();
  });

  it('while it resumes page by page', async () => {
    await setUp();
    const bare = await bareDevice(ben);
    const { cursor } = await catchUp(bare, null);
    bare.socket.disconnect();
    for (let at = 0; at < 30; at++) await say('before');
    const again = await bareDevice(ben, bare.token);
    const facts: Fact[] = [];
    let isRemoved = false;
    for (let from = cursor, isLive = false; !isLive;) {
      const { data } = await again.ask('resume', { v: 1, cursor: from, limit: 10 });
      const page = pageOf(data);
      facts.push(...page.facts);
      ({ cursor: from, live: isLive } = page);
      if (!isRemoved) await Promise.all([remove(), say('before or after')]);
      if (!isRemoved) await say('after');
      isRemoved = true;
    }
    await until(() => textsOf(ada.facts).includes('after'));
    await again.ask('resume', null);
    expectNothingAfter([...facts, ...again.facts]);
    again.socket.disconnect();
  });

  it('while it is behind', async () => {
    await setUp();
    const slow = await bareDevice(ben);
    const { cursor } = await catchUp(slow, null);
    for (let at = 0; at < 300; at++) await say(`${at}`);
    await until(() => slow.facts.length === 256);
    await remove();
    await say('after');
    await until(() => textsOf(ada.facts).includes('after'));
    const { facts } = await catchUp(slow, cursor, 200, slow.facts.at(-1));
    expectNothingAfter(facts);
    expect(textsOf([...slow.facts, ...facts])).toHaveLength(300);
    slow.socket.disconnect();
  });

  it('though the projector lags', async () => {
    await setUp();
    const bare = await bareDevice(ben);
    const { cursor } = await catchUp(bare, null);
    await say('before');
    await until(() => textsOf(bare.facts).length === 1);
    await platform.kill('projector');
    await remove();
    await say('after');
    await until(() => bare.facts.at(-1)?.type === 'member.removed');
    const answer = await bare.ask('resume', { v: 1, cursor });
    expect(answer.error).toMatchObject({ code: 'behind', retryable: true });
    await platform.start('projector');
    const { facts } = await catchUp(bare, cursor);
    expectNothingAfter(facts);
    expectNothingAfter(bare.facts);
    bare.socket.disconnect();
  });
});

describe('a broadcast', () => {
  it('is heard by followers from following on, until they unfollow', async () => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const { conversationId } = await ada.client.startBroadcast({ name: 'News', members: [] });
    await ada.client.send(conversationId, 'too early');
    await ben.client.follow(conversationId);
    await until(() => ben.facts.some(({ type }) => type === 'broadcast.followed'));
    await ada.client.send(conversationId, 'news');
    await until(() => textsOf(ben.facts).includes('news'));
    await ben.client.unfollow(conversationId);
    await until(() => ben.facts.at(-1)?.type === 'broadcast.unfollowed');
    await ada.client.send(conversationId, 'too late');
    await until(() => textsOf(ada.facts).includes('too late'));
    expect(textsOf(ben.facts)).toEqual(['news']);
    expect(ada.facts.map(({ type }) => type)).not.toContain('broadcast.followed');
  });
});

describe('an outage', () => {
  it.skipIf(isGiven('document-store'))(
    'of the document store leaves live delivery going and makes resume wait',
    async () => {
      const [ada, ben] = [await person('Ada'), await person('Ben')];
      const conversationId = await groupOf(ada, ben);
      const bare = await bareDevice(ben);
      const { cursor } = await catchUp(bare, null);
      await platform.kill('document-store');
      await ada.client.send(conversationId, 'still here');
      await until(() => textsOf(ben.facts).includes('still here'));
      const waiting = await bare.ask('resume', { v: 1, cursor });
      expect(waiting.error?.retryable).toBe(true);
      await platform.start('document-store');
      const { facts } = await catchUp(bare, cursor);
      expect(textsOf(facts)).toEqual(['still here']);
      bare.socket.disconnect();
    },
  );

  it.skipIf(isGiven('event-store'))(
    'of the log makes commands wait and loses nothing',
    async () => {
      const [ada, ben] = [await person('Ada'), await person('Ben')];
      const conversationId = await groupOf(ada, ben);
      await ada.client.send(conversationId, 'before');
      await platform.kill('event-store');
      const sending = [1, 2, 3].map((at) => ada.client.send(conversationId, `during ${at}`));
      await platform.start('event-store');
      await Promise.all(sending);
      await ada.client.send(conversationId, 'after');
      await until(() => textsOf(ben.facts).includes('after'));
      expect(textsOf(ben.facts, conversationId)).toEqual([
        'before',
        'during 1',
        'during 2',
        'during 3',
        'after',
      ]);
    },
  );

  it.each(['realtime.mid-emit:3', 'realtime.mid-page', 'realtime.page-before-live'])(
    '[V4] of the socket door at %s is not seen by its users',
    async (point) => {
      const [ada, ben] = [await person('Ada'), await person('Ben')];
      const conversationId = await groupOf(ada, ben);
      await ada.client.send(conversationId, 'before');
      await until(() => textsOf(ben.facts).includes('before'));
      await platform.kill('realtime');
      await platform.start('realtime', { SCRIPTA_CRASH_AT: point });
      // Those who come back late get the first ones by resume: send until the door has died live.
      const all = ['before'];
      const sending: Promise<unknown>[] = [];
      const gone = platform.gone('realtime').then(() => true);
      for (let at = 1, isGone = false; !isGone; at += 1) {
        all.push(`during ${at}`);
        sending.push(ada.client.send(conversationId, `during ${at}`));
        isGone = await Promise.race([gone, sleep(100, false)]);
      }
      await platform.start('realtime');
      await Promise.all(sending);
      for (const { facts } of [ada, ben]) {
        await until(() => textsOf(facts).length >= all.length);
        expect(textsOf(facts, conversationId)).toEqual(all);
      }
    },
  );
});

it('[V4] a client that lost its memory goes on with its device and its next n', async () => {
  const [ada, ben] = [await person('Ada'), await person('Ben')];
  const conversationId = await groupOf(ada, ben);
  await ada.client.send(conversationId, 'one');
  const deviceId = ada.client.deviceId;
  await ada.client.close();
  const forgetful = new Scripta({
    url: platform.url,
    storage: new MemoryStorage(),
    deviceId,
  });
  const { requestId } = await forgetful.requestCode(ada.phone);
  await forgetful.login({ requestId, code: '123456' });
  expect(forgetful.deviceId).toBe(deviceId);
  await forgetful.connect();
  await forgetful.send(conversationId, 'two');
  await until(() => textsOf(ben.facts).length === 2);
  await forgetful.close();
});
