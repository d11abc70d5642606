import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Claims } from '#commands';
import { SteppedClock } from '#testing';
import { openDoor, type Body, type Door } from './door.js';

const PHONE = '+493012345678';
const DEVICE = { name: 'phone', platform: 'web' };

let door: Door;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false', TEST_NUMBERS: '+4915555:424242' });
});
afterAll(() => door.close());

const ask = async (phone: string, at = door): Promise<string> =>
  String((await at.send('POST', '/v1/auth/codes', { json: { phone } })).body.requestId);
const complete = (requestId: string, code: unknown, more: object = {}, at = door) =>
  at.send('POST', '/v1/auth/tokens', { json: { requestId, code, device: DEVICE, ...more } });
const logIn = async (phone: string, more: object = {}): Promise<Body> => {
  const requestId = await ask(phone);
  const code = door.sender.sent.get(phone.replaceAll(' ', ''));
  return (await complete(requestId, code, more)).body;
};
const shape = async (phone: string) => {
  const { status, body } = await door.send('POST', '/v1/auth/codes', { json: { phone } });
  return [status, Object.keys(body).toSorted()];
};
const me = (token: string) =>
  door.send('GET', '/v1/me', { headers: { authorization: `Bearer ${token}` } });
const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url');

const wrong = (code: string | undefined): string => (code === '000000' ? '000001' : '000000');

describe('logging in', () => {
  it('registers an unknown number, and finds the same person again', async () => {
    const first = await logIn('+442071838750', { name: 'Ada' });
    const again = await logIn('+44 20 7183 8750', { name: 'Somebody' });
    expect([first.registered, again.registered]).toEqual([true, false]);
    expect(again.userId).toBe(first.userId);
    expect(again.deviceId).not.toBe(first.deviceId);
    const shown = await door.send('GET', '/v1/me', {
      headers: { authorization: `Bearer ${again.accessToken}` },
    });
    expect(shown.body).toMatchObject({ userId: first.userId, name: 'Ada' });
  });

  it('keeps a device’s own id, but never takes over somebody else’s', async () => {
    const id = randomUUID();
    const mine = await logIn('+442071838751', { device: { ...DEVICE, id } });
    const mineAgain = await logIn('+442071838751', { device: { ...DEVICE, id } });
    const theirs = await logIn('+442071838752', { device: { ...DEVICE, id } });
    expect([mine.deviceId, mineAgain.deviceId]).toEqual([id, id]);
    expect(theirs.deviceId).not.toBe(id);
  });

  it('makes one person of two log-ins with a new number at once', async () => {
    const requests = [await ask('+4915555000001'), await ask('+4915555000001')];
    const people = await Promise.all(requests.map((request) => complete(request, '424242')));
    expect(new Set(people.map(({ body }) => body.userId)).size).toBe(1);
    expect(people.filter(({ body }) => body.registered)).toHaveLength(1);
  });

  it('goes on where it broke off: a claimed number whose person was never registered', async () => {
    const phone = '+4915555000002';
    const holder = randomUUID();
    const commandId = randomUUID();
    const at = door.ports.clock.iso();
    const draft = { commandId, actor: holder, at, correlationId: commandId };
    await door.app.get(Claims).take('phone', phone, { holder }, draft);
    const { body } = await complete(await ask(phone), '424242', { name: 'Late' });
    expect(body).toMatchObject({ userId: holder, registered: true });
  });

  it('sends no message to a test number', async () => {
    await ask('+4915555000003');
    expect(door.sender.sent.has('+4915555000003')).toBe(false);
  });
});

describe('a code', () => {
  it('[V20] works once', async () => {
    const requestId = await ask(PHONE);
    const code = door.sender.sent.get(PHONE);
    expect((await complete(requestId, code)).status).toBe(200);
    await door.refuses(() => complete(requestId, code), 401, 'wrong_code');
  });

  it('[V20] [A2] [abuse 70] [abuse 72] is dead after five wrong guesses, however many come at once', async () => {
    const requestId = await ask(PHONE);
    const code = door.sender.sent.get(PHONE);
    const guesses = Array.from({ length: 100 }, () => complete(requestId, wrong(code)));
    const answers = await Promise.all(guesses);
    expect(answers.every(({ status, body }) => status === 401 && body.code === 'wrong_code')).toBe(
      true,
    );
    await door.refuses(() => complete(requestId, code), 401, 'wrong_code');
  });

  it('[V20] of 100 right answers at once gives one token', async () => {
    const requestId = await ask(PHONE);
    const code = door.sender.sent.get(PHONE);
    const answers = await Promise.all(Array.from({ length: 100 }, () => complete(requestId, code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('[abuse 73] of one request does not fit another, and says no more than that', async () => {
    const [one, two] = [await ask(PHONE), await ask('+493012345679')];
    const code = door.sender.sent.get('+493012345679');
    const crossed = await door.refuses(() => complete(one, code), 401, 'wrong_code');
    const unknown = await door.refuses(() => complete(randomUUID(), code), 401, 'wrong_code');
    expect(crossed.body.detail).toBe(unknown.body.detail);
    expect((await complete(two, code)).status).toBe(200);
  });

  it('[V20] ends after ten minutes', async () => {
    const clock = new SteppedClock();
    const late = await openDoor({}, undefined, { clock });
    const requestId = await ask(PHONE, late);
    clock.pass(600_001);
    const code = late.sender.sent.get(PHONE);
    const answer = await complete(requestId, code, {}, late);
    expect([answer.status, answer.body.code]).toEqual([401, 'code_expired']);
    await late.close();
  });

  it('is stored neither in clear nor with its number', async () => {
    const requestId = await ask(PHONE);
    const stored = JSON.stringify(await door.ports.operations.get('codes', requestId));
    expect(stored).not.toContain(door.sender.sent.get(PHONE));
    expect(stored).not.toContain('12345678');
  });

  it('[A2] [abuse 74] is sent once in 30 seconds and five times an hour', async () => {
    const clock = new SteppedClock();
    const limited = await openDoor({}, undefined, { clock });
    const asking = () => limited.send('POST', '/v1/auth/codes', { json: { phone: PHONE } });
    expect((await asking()).status).toBe(202);
    const { headers } = await limited.refuses(asking, 429, 'rate_limited');
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(25);
    for (let sent = 1; sent < 5; sent++) {
      clock.pass(30_000);
      expect((await asking()).status).toBe(202);
    }
    clock.pass(30_000);
    await limited.refuses(asking, 429, 'rate_limited');
    await limited.close();
  });
});

describe('a phone number', () => {
  it('[abuse 76] is one number however it is written', async () => {
    const ways = ['+49 30 901820', '+49 (30) 90 18 20', '+49-30-901820', '＋４９３０９０１８２０'];
    const people = [];
    for (const phone of ways) {
      const requestId = await ask(phone);
      people.push((await complete(requestId, door.sender.sent.get('+4930901820'))).body.userId);
    }
    expect(new Set(people).size).toBe(1);
    expect(people[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each(['030 901820', '+49', 'call me', '+4930901820 ext. 5', `+${'1'.repeat(40)}`])(
    '[abuse 76] that cannot be dialled is refused: %s',
    async (phone) => {
      const asking = () => door.send('POST', '/v1/auth/codes', { json: { phone } });
      const { text } = await door.refuses(asking, 422, 'invalid');
      expect(text.split('such as')[0]).not.toContain(phone);
    },
  );

  it('[abuse 78] gets the same answer whether or not it has an account', async () => {
    await logIn('+442071838759');
    expect(await shape('+442071838759')).toEqual(await shape('+442071838760'));
  });
});

describe('an access token', () => {
  it('[abuse 85] is believed only as we sign', async () => {
    const { accessToken = '' } = await logIn('+442071838761');
    const [header = '', payload = '', signature = ''] = accessToken.split('.');
    const other = part({ alg: 'none', typ: 'at+jwt' });
    const forged = [
      `${other}.${payload}.`,
      `${other}.${payload}.${signature}`,
      `${part({ alg: 'HS256', typ: 'at+jwt' })}.${payload}.${signature}`,
      `${header}.${part({ sub: randomUUID() })}.${signature}`,
      `${header}.${payload}.${signature.slice(2)}aa`,
      accessToken.slice(0, -20),
      'x',
      `${accessToken}.x`,
    ];
    for (const token of forged) await door.refuses(() => me(token), 401, 'unauthorized');
    expect((await me(accessToken)).status).toBe(200);
  });

  it('is needed, in the header and nowhere else', async () => {
    const { accessToken = '' } = await logIn('+442071838762');
    await door.refuses(() => door.send('GET', '/v1/me'), 401, 'unauthorized');
    await door.refuses(
      () => door.send('GET', `/v1/me?access_token=${accessToken}`),
      401,
      'unauthorized',
    );
    const basic = { authorization: `Basic ${accessToken}` };
    await door.refuses(() => door.send('GET', '/v1/me', { headers: basic }), 401, 'unauthorized');
    expect((await me(accessToken)).status).toBe(200);
  });
});
