import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startPlatform, until, type Platform } from '#testing';
import { ask, someone, type Someone } from '../delivery/someone.js';

let platform: Platform;
let people: Someone[] = [];

beforeEach(async () => {
  platform = await startPlatform({ env: { RATE_LIMIT_COMMANDS: 'true' } });
  people = [await someone(platform, 'Ada'), await someone(platform, 'Bob')];
}, 60_000);

afterEach(async () => {
  for (const { client } of people) await client.close();
  await platform.stop();
});

const state = z.object({
  exportId: z.uuid(),
  state: z.enum(['waiting', 'running', 'done']),
  progress: z.object({ done: z.number(), total: z.number(), events: z.number() }),
  bytes: z.number(),
  sha256: z.string().optional(),
});

const documentSchema = z.object({
  v: z.literal(1),
  about: z.record(z.string(), z.string()),
  person: z.uuid(),
  account: z.object({ name: z.string() }),
  places: z.array(z.object({ conversationId: z.uuid() })),
  marks: z.array(z.object({ userId: z.uuid() })),
  connections: z.array(z.object({ userId: z.uuid() })),
  events: z.array(
    z.object({ stream: z.string(), type: z.string(), data: z.record(z.string(), z.unknown()) }),
  ),
});

const begin = async ({ token }: Someone) => {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${platform.url.rest}/v1/me/exports`, { method: 'POST', headers });
  const body: unknown = await answer.json();
  return { status: answer.status, body };
};

const standing = async (one: Someone, exportId: string) =>
  state.parse((await ask(platform, one, `/v1/me/exports/${exportId}`)).body);

const download = (one: Someone, exportId: string): Promise<Response> =>
  fetch(`${platform.url.rest}/v1/me/exports/${exportId}/download`, {
    headers: { authorization: `Bearer ${one.token}` },
  });

describe('an export of everything that is held of a person', () => {
  it('[J10] [X44] has all of theirs, nothing that others said, and is only theirs', async () => {
    const [ada, bob] = people;
    if (!ada || !bob) throw new Error('Nobody came.');
    await ada.client.connect();
    await bob.client.connect();
    const { conversationId } = await ada.client.startGroup({ name: 'G', members: [bob.userId] });
    for (let said = 0; said < 20; said += 1)
      await ada.client.send(conversationId, `of Ada ${said}`);
    await bob.client.send(conversationId, 'of Bob');
    const other = await bob.client.startGroup({ name: 'H', members: [ada.userId] });
    await until(() => ada.facts.some((fact) => fact.conversationId === other.conversationId));

    const begun = await begin(ada);
    expect(begun.status).toBe(202);
    const { exportId } = state.parse(begun.body);
    await until(async () => (await standing(ada, exportId)).state === 'done');
    const done = await standing(ada, exportId);
    expect(done.progress.done).toBe(done.progress.total);
    const answer = await download(ada, exportId);
    expect(answer.headers.get('content-disposition')).toContain('attachment');
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(done.sha256);
    const text = bytes.toString('utf8');
    const found = documentSchema.parse(JSON.parse(text));
    expect(found.person).toBe(ada.userId);
    expect(found.events).toHaveLength(done.progress.events);
    const said = found.events.filter(({ type }) => type === 'MessageSent');
    expect(said.map(({ data }) => data['text'])).toEqual(
      Array.from({ length: 20 }, (_, index) => `of Ada ${index}`),
    );
    expect(text).toContain(ada.phone);
    expect(text).not.toContain('of Bob');
    expect(text).not.toContain(bob.phone);
    expect(found.places.map((place) => place.conversationId).toSorted()).toEqual(
      [conversationId, other.conversationId].toSorted(),
    );
    // Who added her is about her.
    expect(found.events.some(({ stream }) => stream.endsWith(other.conversationId))).toBe(true);

    expect((await download(bob, exportId)).status).toBe(404);
    expect((await ask(platform, bob, `/v1/me/exports/${exportId}`)).status).toBe(404);
    for (let more = 0; more < 2; more += 1) {
      const again = state.parse((await begin(ada)).body);
      await until(async () => (await standing(ada, again.exportId)).state === 'done');
    }
    expect((await begin(ada)).status).toBe(429);
  }, 60_000);

  it('[J10] [V1] goes on where the process that made it was killed', async () => {
    const [ada, bob] = people;
    if (!ada || !bob) throw new Error('Nobody came.');
    await ada.client.connect();
    for (let made = 0; made < 5; made += 1) {
      const group = await ada.client.startGroup({ name: `G${made}`, members: [bob.userId] });
      await ada.client.send(group.conversationId, `text ${made}`);
    }
    await ada.client.close();
    await platform.kill('command-api');
    await platform.start('command-api', { SCRIPTA_CRASH_AT: 'export.stream:4' });
    const { exportId } = state.parse((await begin(ada)).body);
    await platform.gone('command-api');
    const folder = join(platform.dataDir, 'exports', ada.userId);
    expect(await readdir(folder)).toEqual([`${exportId}.json.part`]);
    await platform.start('command-api');
    await until(async () => (await standing(ada, exportId)).state === 'done', 60_000);
    expect(await readdir(folder)).toEqual([`${exportId}.json`]);
    const found = documentSchema.parse(await (await download(ada, exportId)).json());
    const texts = found.events.flatMap(({ type, data }) =>
      type === 'MessageSent' ? [data['text']] : [],
    );
    expect(texts.map(String).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      Array.from({ length: 5 }, (_, index) => `text ${index}`),
    );
    const seen = found.events.map((event) => JSON.stringify(event));
    expect(new Set(seen).size).toBe(seen.length);
  }, 120_000);
});
