import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { releaseClaims } from '#domain';
import { PolicyRunner } from '#commands';
import { SteppedClock, until } from '#testing';
import { Departures } from '../../apps/command-api/src/departures.js';
import { openDoor, type Door, type Person } from './door.js';

const GRACE_MS = 30 * 86_400_000;
const clock = new SteppedClock();
let door: Door;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' }, undefined, { clock });
  door.app.get(PolicyRunner).start([releaseClaims]);
});
afterAll(async () => {
  await door.app.get(PolicyRunner).stop();
  await door.close();
});

let phones = 0;
const newPhone = () => `+4915133${String((phones += 1)).padStart(6, '0')}`;
const codeFor = async (phone: string) => {
  const { body } = await door.send('POST', '/v1/auth/codes', { json: { phone } });
  return { requestId: body.requestId, code: door.sender.sent.get(phone) };
};
const logIn = async (phone: string) => {
  const device = { name: 'phone', platform: 'web' };
  const json = { ...(await codeFor(phone)), device };
  return door.send('POST', '/v1/auth/tokens', { json });
};
const notices = async (by: Person) => {
  const { body } = await door.send('GET', '/v1/me/security', { by });
  return body.items ?? [];
};

const group = async (by: Person, members: readonly Person[]) => {
  const json = { kind: 'group', name: 'Us', members: members.map(({ userId }) => userId) };
  const { body } = await door.send('POST', '/v1/conversations', { by, json });
  return body.conversationId ?? '';
};

describe('A phone number', () => {
  it('[A12] is changed by a code that was sent to the new one; the old one is free again', async () => {
    const ada = await door.person('Ada');
    const phone = newPhone();
    const json = await codeFor(phone);
    const changed = await door.send('POST', '/v1/auth/phone', { by: ada, json });
    expect(changed.status).toBe(200);
    expect((await logIn(phone)).body.userId).toBe(ada.userId);
    await until(async () => {
      const { status, body } = await logIn(ada.phone);
      return status === 200 && body.userId !== ada.userId;
    });
    const types = (await notices(ada)).map(({ type }) => type);
    expect(types).toContain('phone.changed');
  });

  it('[abuse 77] in other hands: the devices before are told at once, and may end the login', async () => {
    const ada = await door.person('Ada');
    const { body } = await logIn(ada.phone);
    const [latest] = await notices(ada);
    expect(latest).toMatchObject({ type: 'session.started', data: { method: 'code' } });
    const ended = await door.send('DELETE', '/v1/me/sessions', { by: ada });
    expect(ended.status).toBe(200);
    const theirs = { ...ada, accessToken: body.accessToken ?? '' };
    expect((await door.send('GET', '/v1/me', { by: theirs })).status).toBe(401);
  });

  it('of another person is refused, and stays theirs', async () => {
    const [ada, ben] = await Promise.all([door.person('Ada'), door.person('Ben')]);
    const json = await codeFor(ben.phone);
    const changed = await door.send('POST', '/v1/auth/phone', { by: ada, json });
    expect([changed.status, changed.body.code]).toEqual([409, 'already_exists']);
    expect((await logIn(ben.phone)).body.userId).toBe(ben.userId);
  });

  it('[abuse 70] whose code was guessed at until no try was left is told to its person', async () => {
    const ada = await door.person('Ada');
    const { requestId, code } = await codeFor(ada.phone);
    const wrong = code === '000000' ? '111111' : '000000';
    const json = { requestId, code: wrong, device: { name: 'x', platform: 'web' } };
    for (let guess = 0; guess < 5; guess += 1) await door.send('POST', '/v1/auth/tokens', { json });
    await until(async () => (await notices(ada)).some(({ type }) => type === 'login.refused'));
    expect((await notices(ada)).filter(({ type }) => type === 'login.refused')).toHaveLength(1);
  });
});

describe('A deleted account', () => {
  it('[A17] comes back by a login within its time of grace', async () => {
    const ada = await door.person('Ada');
    await door.send('DELETE', '/v1/me', { by: ada });
    clock.pass(GRACE_MS - 1_000);
    expect((await logIn(ada.phone)).body.userId).toBe(ada.userId);
    clock.pass(2_000);
    await door.app.get(Departures).look();
    expect((await logIn(ada.phone)).body.userId).toBe(ada.userId);
  });

  it.each([
    ['POST', '/v1/me/deactivate'],
    ['DELETE', '/v1/me'],
  ])('[abuse 89] is spoken for by no token any more at once: %s %s', async (method, path) => {
    const ada = await door.person('Ada');
    const json = method === 'POST' ? { json: {} } : {};
    expect((await door.send(method, path, { by: ada, ...json })).status).toBe(200);
    expect((await door.send('GET', '/v1/me', { by: ada })).status).toBe(401);
  });

  it('[A17] goes after it: its groups have another owner, its number and name are free', async () => {
    const [ada, ben] = await Promise.all([door.person('Ada'), door.person('Ben')]);
    const id = await group(ada, [ben]);
    await door.send('PUT', '/v1/me/username', { by: ada, json: { username: 'ada_gone' } });
    await door.send('DELETE', '/v1/me', { by: ada });
    clock.pass(GRACE_MS + 1_000);
    await door.app.get(Departures).look();
    await door.app.get(Departures).look();
    await until(async () => {
      const { status, body } = await logIn(ada.phone);
      return status === 200 && body.userId !== ada.userId && body.registered === true;
    });
    const { body: token } = await logIn(ben.phone);
    const by = { ...ben, ...token, deviceId: '', accessToken: token.accessToken ?? '' };
    const path = `/v1/conversations/${id}/members`;
    const { body } = await door.send('GET', path, { by: { ...by, userId: ben.userId } });
    expect(body.items).toMatchObject([{ userId: ben.userId, role: 'owner' }]);
    const taken = { username: 'ada_gone' };
    await until(async () => {
      const answer = await door.send('PUT', '/v1/me/username', { by, json: taken });
      return answer.status === 200;
    });
  });
});

const ask = async (of: Door, phone: string) =>
  (await of.send('POST', '/v1/auth/codes', { json: { phone } })).status;

describe('Limits of logins', () => {
  const device = { name: 'x', platform: 'web' };

  it('[M17] [abuse 71] stop an address that guesses at the codes of many', async () => {
    const limited = await openDoor({ LIMITS: 'guess-address:10/600,code-address:1000/1' });
    const codes: string[] = [];
    for (let at = 0; at < 12; at += 1) {
      const json = { phone: newPhone() };
      const { body } = await limited.send('POST', '/v1/auth/codes', { json });
      const guess = { requestId: body.requestId, code: '000000', device };
      const answer = await limited.send('POST', '/v1/auth/tokens', { json: guess });
      codes.push(answer.body.code ?? '');
    }
    expect(codes.slice(0, 10).every((code) => code !== 'rate_limited')).toBe(true);
    expect(codes.slice(10)).toEqual(['rate_limited', 'rate_limited']);
    await limited.close();
  });

  it('[abuse 75] stop numbers of one range, and messages of a day', async () => {
    const ranged = await openDoor({ LIMITS: 'sms-prefix:2/3600' });
    const asked = ['+491513300001', '+491513300002', '+491513300003', '+442071838750'];
    const told: number[] = [];
    for (const phone of asked) told.push(await ask(ranged, phone));
    expect(told).toEqual([202, 202, 429, 202]);
    await ranged.close();
    const capped = await openDoor({ LIMITS: 'sms-all:1/86400' });
    expect([await ask(capped, asked[0] ?? ''), await ask(capped, asked[3] ?? '')]).toEqual([
      202, 429,
    ]);
    await capped.close();
  });
});
