import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EventStoreDb } from '#platform';
import { startPlatform, until, type Platform } from '#testing';
import { builtPath } from '../../tools/start/programs.js';
import { ask, someone, type Someone } from './someone.js';

const SECRET = `a text that nobody counts ${randomUUID()}`;

const rows = z.array(
  z.object({ by: z.record(z.string(), z.string()), count: z.number(), last: z.iso.datetime() }),
);

let platform: Platform;
let ada: Someone;

beforeEach(async () => {
  platform = await startPlatform({});
  ada = await someone(platform, 'Ada');
}, 60_000);

afterEach(async () => {
  await ada.client.close();
  await platform.stop();
});

const errors = (...args: string[]) =>
  new Promise<string>((resolve) => {
    const env = { ...process.env, ...platform.settings };
    execFile(process.execPath, [builtPath('tools/errors/main.js'), ...args], { env }, (_, out) => {
      resolve(out);
    });
  });

const metrics = async (name: 'projector' | 'realtime' | 'command-api'): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${platform.port(name)}/metrics`);
  expect(answer.headers.get('content-type')).toContain('version=0.0.4');
  return answer.text();
};

describe('what goes wrong', () => {
  it('[L4] [L5] is counted by code, time and place, of every process, without content', async () => {
    const { client } = ada;
    await client.connect();
    const { conversationId } = await client.startGroup({ name: 'G', members: [] });
    const nowhere = randomUUID();
    for (let times = 0; times < 3; times += 1)
      expect((await ask(platform, ada, `/v1/users/${nowhere}`)).status).toBe(404);
    expect((await ask(platform, { token: SECRET }, '/v1/me')).status).toBe(401);
    await client.send(nowhere, SECRET).catch(() => undefined);
    const store = new EventStoreDb(platform.settings['EVENTSTORE_URL'] ?? '');
    const poison = { id: randomUUID(), type: 'FromTheFuture', data: { v: 1 }, metadata: {} };
    await store.append(`conversation-${conversationId}`, 'any', [poison]);
    await store.close();
    await platform.kill('event-store');
    await platform.start('event-store');

    await until(async () => (await metrics('projector')).includes('kind="parked"'));
    const api = await metrics('command-api');
    expect(api).toContain(
      'scripta_errors_total{kind="refused",code="not_found",place="GET /v1/users/:userId"} 3',
    );
    expect(api).toContain('code="unauthorized"');
    await until(async () => (await metrics('realtime')).includes('code="UnreadableEvent"'));
    expect(await metrics('projector')).toContain('kind="retried",code="subscription"');

    const all = async () => rows.parse(JSON.parse(await errors('--json')));
    const has = (found: z.infer<typeof rows>, by: Readonly<Record<string, string>>) =>
      found.find((row) => Object.entries(by).every(([name, value]) => row.by[name] === value));
    const places = ['history', 'realtime', 'GET /v1/users/:userId'];
    await until(async () => {
      const known = await all();
      return places.every((place) => has(known, { place }) !== undefined);
    });
    const found = await all();
    expect(has(found, { code: 'not_found', place: 'GET /v1/users/:userId' })?.count).toBe(3);
    expect(has(found, { kind: 'parked', place: 'realtime' })?.count).toBe(1);
    const byCode = rows.parse(JSON.parse(await errors('--by', 'code', '--since', '5m', '--json')));
    expect(has(byCode, { code: 'not_found' })?.count).toBeGreaterThanOrEqual(3);
    const minutes = rows.parse(JSON.parse(await errors('--by', 'minute', '--json')));
    expect(minutes.every(({ by }) => by['minute']?.endsWith(':00.000Z'))).toBe(true);
    const shown = [api, await metrics('realtime'), JSON.stringify(found)].join('\n');
    for (const secret of [SECRET, nowhere, ada.userId, conversationId])
      expect(shown).not.toContain(secret);
    expect(await errors('--since', '1s', '--by', 'process')).toContain('command-api');
  }, 60_000);
});
