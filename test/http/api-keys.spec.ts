import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeys } from '#platform';
import { SteppedClock } from '#testing';
import { openDoor, type Door } from './door.js';

const clock = new SteppedClock();
let door: Door;
let keys: ApiKeys;
beforeAll(async () => {
  door = await openDoor({ REQUIRE_API_KEY: 'true', RATE_LIMIT_COMMANDS: 'false' }, undefined, {
    clock,
  });
  keys = new ApiKeys(door.ports.operations, door.ports);
});
afterAll(() => door.close());

const asking = (key?: string) =>
  door.send('POST', '/v1/auth/codes', {
    json: { phone: '+493012345678' },
    headers: key === undefined ? {} : { 'x-api-key': key },
  });
/** A process believes what it read of a key for 5 seconds. */
const later = () => clock.pass(5_001);

describe('A key of an application', () => {
  it('[A1] is asked for where the deployment requires one, and must be ours', async () => {
    const { key } = await keys.create('web', ['login']);
    await door.refuses(() => asking(), 401, 'unauthorized');
    await door.refuses(() => asking('scripta_000000000000_none'), 401, 'unauthorized');
    await door.refuses(() => asking(`${key.slice(0, -1)}!`), 401, 'unauthorized');
    const other = await keys.create('other', ['login']);
    const mixed = `${key.slice(0, 21)}${other.key.slice(21)}`;
    await door.refuses(() => asking(mixed), 401, 'unauthorized');
    expect((await asking(key)).status).toBe(202);
    expect((await door.send('GET', '/readyz')).status).toBe(200);
  });

  it('[A1] does what its scope says, and no more', async () => {
    const { key } = await keys.create('bot', ['chat']);
    await door.refuses(() => asking(key), 403, 'forbidden');
    const me = await door.send('GET', '/v1/me', { headers: { 'x-api-key': key } });
    expect([me.status, me.body.detail]).toEqual([401, expect.stringContaining('access token')]);
  });

  it('[A1] is rotated with an overlap, and revoked', async () => {
    const { id, key } = await keys.create('web', ['login']);
    const next = await keys.rotate(id, 60);
    later();
    expect([(await asking(key)).status, (await asking(next)).status]).toEqual([202, 202]);
    clock.pass(60_000);
    await door.refuses(() => asking(key), 401, 'unauthorized');
    expect((await asking(next)).status).toBe(202);
    await keys.revoke(id);
    later();
    await door.refuses(() => asking(next), 401, 'unauthorized');
  });

  it('[A1] is kept as a hash, with its last use', async () => {
    const { id, key } = await keys.create('web', ['login']);
    await asking(key);
    const stored = JSON.stringify(await door.ports.operations.get('api-keys', id));
    expect(stored).not.toContain(key.slice(21));
    expect((await keys.list()).find(({ _id }) => _id === id)?.lastUsedAt).toBe(clock.iso());
  });

  it('[A1] that is shown must be good, also where none is asked for', async () => {
    const open = await openDoor();
    const headers = { 'x-api-key': 'scripta_made_up' };
    const answer = await open.send('POST', '/v1/auth/codes', { json: {}, headers });
    expect([answer.status, answer.body.code]).toEqual([401, 'unauthorized']);
    await open.close();
  });
});
