import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
let ada: Person;
let ben: Person;
let room: string;
let messageId: string;
const command = randomUUID();

beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false', RECEIPT_TICK_MS: '10' });
  [ada, ben] = [await door.person('Ada'), await door.person('Ben')];
  const json = { kind: 'group', name: 'Choir', members: [ben.userId] };
  const started = await door.send('POST', '/v1/conversations', { by: ada, json });
  room = started.body.conversationId ?? '';
  const headers = { 'idempotency-key': command };
  const path = `/v1/conversations/${room}/messages`;
  const said = await door.send('POST', path, { by: ada, json: { text: 'Hello' }, headers });
  messageId = said.body.messageId ?? '';
});
afterAll(() => door.close());

/** Made from the log itself, by a job that reads it, or from what is no fact: never behind it. */
const OF_LOG = /\/proof$|^\/v1\/log\/|^\/v1\/me\/(exports|drafts)/u;

/** What this group, which is private and has no link, does not show. */
const AT_A_DOOR = /\/preview$|^\/v1\/invites\//u;

/** Reads of what a person wrote. */
const reads = (): readonly string[] =>
  door.routes().flatMap((route) => {
    const [method, path = ''] = route.split(' ');
    return method === 'GET' && path.startsWith('/v1/') && !OF_LOG.test(path) ? [path] : [];
  });

const read = (path: string, query = '') => {
  const named: Readonly<Record<string, string>> = {
    userId: ada.userId,
    conversationId: room,
    messageId,
    commandId: command,
    token: 'x'.repeat(64),
  };
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => named[name] ?? name);
  // One asks for what stands around something.
  const around = path.endsWith('/around') ? '&seq=1' : '';
  return door.send('GET', `${filled}${query}${around}`, { by: ada });
};

describe('[Z18] a read after a write', () => {
  it('waits for the write’s position, or says that it lags: every route', async () => {
    expect(reads().length).toBeGreaterThan(10);
    door.views.paused = true;
    const { position } = (
      await door.send('PATCH', '/v1/me', { by: ada, json: { name: 'Ada of the choir' } })
    ).body;
    const lagging = reads().map(async (path) => {
      const { status, body, headers } = await read(path, `?minPosition=${position}`);
      return [path, status, body.code, headers.get('retry-after')];
    });
    expect(await Promise.all(lagging)).toEqual(reads().map((path) => [path, 503, 'behind', '1']));
    door.views.paused = false;
    for (const path of reads()) {
      const { status } = await read(path, `?minPosition=${position}`);
      expect([path, status]).toEqual([path, AT_A_DOOR.test(path) ? 404 : 200]);
    }
  });
});
