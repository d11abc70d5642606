import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scripta, type Fact, type OutboxItem } from '#client';
import {
  newDevice,
  newPerson,
  startPlatform,
  textsOf,
  until,
  wireTo,
  type Device,
  type Platform,
  type Wire,
} from '#testing';
import { FileStorage } from '../../libs/client/src/file-storage.js';

let platform: Platform;
let wire: Wire;
let folder: string;
let ada: Device;

beforeAll(async () => {
  platform = await startPlatform();
  wire = await wireTo(platform.port('realtime'));
  folder = await mkdtemp(join(tmpdir(), 'scripta-offline-'));
  ada = await newPerson({ url: platform.url }, 'Ada');
});

afterAll(async () => {
  await ada?.client.close();
  await wire?.close();
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A client on a file of its own, behind a wire that can be silenced; what it tells is kept. */
const onFile = (name: string) => {
  const storage = new FileStorage(join(folder, name));
  const url = { ...platform.url, socket: `http://127.0.0.1:${wire.port}` };
  const watch = (client: Scripta) => {
    const [facts, items]: [Fact[], OutboxItem[]] = [[], []];
    client.on('fact', (fact) => facts.push(fact));
    client.on('outbox', (item) => items.push(item));
    return { client, facts, items, storage };
  };
  return { storage, url, watch, again: () => watch(new Scripta({ url, storage })) };
};

const statesOf = (items: readonly OutboxItem[], id: string): string[] =>
  items.filter((item) => item.id === id).map(({ state }) => state);

const groupOf = async (...members: string[]): Promise<string> =>
  (await ada.client.startGroup({ name: 'Group', members })).conversationId;

describe('someone who is offline', () => {
  it('[D14] [D22] writes, edits and takes back, is ended, and sends the rest once, in order', async () => {
    const { storage, url, watch, again } = onFile('ben.jsonl');
    const device = await newDevice({ url, storage }, { name: 'Ben' });
    const ben = watch(device.client);
    await ben.client.connect();
    const conversationId = await groupOf(ben.client.userId);
    await ben.client.send(conversationId, 'online');
    wire.silence();
    wire.cut();
    await until(() => ben.client.state !== 'live');
    const ids = Array.from({ length: 4 }, () => crypto.randomUUID());
    const sending = ids.map((id, at) => ben.client.send(conversationId, `draft ${at}`, { id }));
    const settled = Promise.allSettled(sending);
    expect(ben.client.outbox.items.map(({ text }) => text)).toEqual([
      'draft 0',
      'draft 1',
      'draft 2',
      'draft 3',
    ]);
    ben.client.outbox.edit(ids[1] ?? '', 'edited');
    ben.client.outbox.cancel(ids[2] ?? '');
    await ben.client.close();
    await settled;

    const next = again();
    const connecting = next.client.connect();
    await until(() => next.client.outbox.items.length === 3);
    next.client.outbox.edit(ids[3] ?? '', 'edited in the next run');
    const told = ['while you were away', 'and this'];
    for (const text of told) await ada.client.send(conversationId, text);
    wire.restore();
    wire.cut();
    await connecting;
    await until(() => textsOf(next.facts, conversationId).length === 5);
    const said = ['draft 0', 'edited', 'edited in the next run'];
    await until(() => textsOf(ada.facts, conversationId).length === 6);
    expect(textsOf(ada.facts, conversationId)).toEqual(['online', ...told, ...said]);
    expect(textsOf(next.facts, conversationId)).toEqual([...told, ...said]);
    expect(statesOf(next.items, ids[1] ?? '').slice(0, 1)).toEqual(['sent']);
    await until(() => statesOf(next.items, ids[3] ?? '').includes('delivered'));
    const last = next.facts.at(-1);
    expect(last?.clientId).toBe(ids[3]);
    await ada.client.markRead(conversationId, last?.seq ?? 0);
    await until(() => statesOf(next.items, ids[3] ?? '').at(-1) === 'read');
    await next.client.close();
    await storage.close();
  });

  it('[D18] [D21] is told what they missed and nothing else, and it connects', async () => {
    const { storage, url, watch, again } = onFile('cid.jsonl');
    const cid = watch((await newDevice({ url, storage }, { name: 'Cid' })).client);
    await cid.client.connect();
    const conversationId = await groupOf(cid.client.userId);
    for (let at = 0; at < 5; at++) await ada.client.send(conversationId, `before ${at}`);
    await until(() => textsOf(cid.facts).length === 5);
    await cid.client.close();
    for (let at = 0; at < 450; at++) await ada.client.send(conversationId, `missed ${at}`);
    const next = again();
    const breaches: unknown[] = [];
    next.client.on('integrity', (breach) => breaches.push(breach));
    await next.client.connect();
    await until(() => next.facts.length === 450);
    expect(textsOf(next.facts).at(0)).toBe('missed 0');
    expect(textsOf(next.facts).at(-1)).toBe('missed 449');
    expect(breaches).toEqual([]);
    await next.client.close();
    await storage.close();
  });

  it('[D22] is told what was refused of what they wrote, and what they see is rolled back', async () => {
    const { storage, url, watch, again } = onFile('dee.jsonl');
    const dee = watch((await newDevice({ url, storage }, { name: 'Dee' })).client);
    await dee.client.connect();
    const conversationId = await groupOf(dee.client.userId);
    await until(() => dee.facts.some((fact) => fact.conversationId === conversationId));
    await dee.client.close();
    const userId = dee.client.userId;
    await ada.client.removeMember(conversationId, userId);
    const next = again();
    const connecting = next.client.connect();
    await until(() => next.client.state === 'connecting' || next.client.state === 'live');
    const id = crypto.randomUUID();
    const sending = next.client.send(conversationId, 'too late', { id });
    await expect(sending).rejects.toMatchObject({ code: 'not_found' });
    await connecting;
    expect(statesOf(next.items, id)).toEqual(['queued', 'failed']);
    expect(next.client.outbox.items).toMatchObject([{ id, state: 'failed', reason: 'not_found' }]);
    await ada.client.addMembers(conversationId, [userId]);
    await next.client.outbox.retry(id);
    await until(() => textsOf(ada.facts, conversationId).includes('too late'));
    expect(next.client.outbox.items).toEqual([]);
    await next.client.close();
    await storage.close();
  });

  it('[D22] shares a storage with nobody, so that nothing is sent twice', async () => {
    const { storage, url, watch } = onFile('eve.jsonl');
    const eve = watch((await newDevice({ url, storage }, { name: 'Eve' })).client);
    await eve.client.connect();
    const other = new Scripta({ url, storage: new FileStorage(join(folder, 'eve.jsonl')) });
    await expect(other.connect()).rejects.toMatchObject({ code: 'in_use', retryable: true });
    const conversationId = await groupOf(eve.client.userId);
    await eve.client.send(conversationId, 'one');
    await eve.client.close();
    await other.connect();
    expect(other.userId).toBe(eve.client.userId);
    await other.send(conversationId, 'two');
    await until(() => textsOf(ada.facts, conversationId).length === 2);
    await other.close();
    await storage.close();
  });

  it('[D24] counts what they have not read, the same on every device', async () => {
    const { storage, url, watch } = onFile('fay.jsonl');
    const device = await newDevice({ url, storage }, { name: 'Fay' });
    const fay = watch(device.client);
    await fay.client.connect();
    const conversationId = await groupOf(fay.client.userId);
    const seqs: number[] = [];
    for (let at = 0; at < 10; at++) seqs.push((await ada.client.send(conversationId, `${at}`)).seq);
    await until(() => textsOf(fay.facts).length === 10);
    const minPosition = fay.facts.at(-1)?.position ?? '0';
    expect(await fay.client.conversation(conversationId, { minPosition })).toMatchObject({
      unread: 10,
    });
    const read = seqs[6] ?? 0;
    const { position } = await fay.client.markRead(conversationId, read);
    const tablet = await newDevice({ url: platform.url }, { phone: device.phone });
    const item = await tablet.client.conversation(conversationId, { minPosition: position });
    expect(item).toMatchObject({ unread: 3, read });
    const { seq } = await fay.client.send(conversationId, 'an answer reads it all');
    await until(async () => (await tablet.client.conversation(conversationId)).read === seq);
    expect(await tablet.client.conversation(conversationId)).toMatchObject({ unread: 0 });
    await fay.client.close();
    await storage.close();
  });
});
