import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SteppedClock } from '#testing';
import { openDoor, type Door } from './door.js';

const loggedIn = z.object({
  userId: z.string(),
  deviceId: z.string(),
  sessionId: z.string(),
  accessToken: z.string(),
  refreshToken: z.string(),
  position: z.string().optional(),
});
type LoggedIn = z.infer<typeof loggedIn>;

const problem = z.object({
  code: z.string(),
  details: z
    .object({ ticket: z.string(), devices: z.array(z.object({ deviceId: z.string() })).optional() })
    .partial()
    .optional(),
});

const clock = new SteppedClock();
let door: Door;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' }, undefined, { clock });
});
afterAll(() => door.close());

let phones = 0;
const newPhone = (): string => `+4915122${String((phones += 1)).padStart(6, '0')}`;

const attempt = async (phone: string, more: object = {}) => {
  const { body } = await door.send('POST', '/v1/auth/codes', { json: { phone } });
  const code = door.sender.sent.get(phone);
  const device = { name: 'phone', platform: 'web', version: '1.0.0' };
  const json = { requestId: body.requestId, code, device, ...more };
  return door.send('POST', '/v1/auth/tokens', { json });
};
const logIn = async (phone: string, more: object = {}): Promise<LoggedIn> =>
  loggedIn.parse((await attempt(phone, more)).body);

const by = ({ accessToken, userId, deviceId }: LoggedIn) => ({
  by: { accessToken, userId, deviceId, phone: '' },
});
const status = async (session: LoggedIn): Promise<number> =>
  (await door.send('GET', '/v1/me', by(session))).status;
const refreshing = (refreshToken: string, deviceId: string) =>
  door.send('POST', '/v1/auth/refresh', { json: { refreshToken, deviceId } });
const finish = (ticket: string) => door.send('POST', '/v1/auth/tokens', { json: { ticket } });
const pair = z.object({ accessToken: z.string(), refreshToken: z.string() });

describe('a refresh token', () => {
  it('gives the next pair', async () => {
    const session = await logIn(newPhone());
    const next = pair.parse((await refreshing(session.refreshToken, session.deviceId)).body);
    expect(next.refreshToken).not.toBe(session.refreshToken);
    expect(await status({ ...session, ...next })).toBe(200);
    expect((await refreshing(next.refreshToken, session.deviceId)).status).toBe(200);
  });

  it('[V19] has one winner when two use it at once: both get the same next one', async () => {
    const { refreshToken, deviceId } = await logIn(newPhone());
    const racing = Array.from({ length: 20 }, () => refreshing(refreshToken, deviceId));
    const answers = await Promise.all(racing);
    const next = answers.map(({ body }) => pair.parse(body).refreshToken);
    expect(new Set(next).size).toBe(1);
  });

  it('[V19] [abuse 88] used again after its grace ends the session for whoever holds it', async () => {
    const session = await logIn(newPhone());
    const next = pair.parse((await refreshing(session.refreshToken, session.deviceId)).body);
    clock.pass(10_001);
    const stolen = await refreshing(session.refreshToken, session.deviceId);
    expect([stolen.status, stolen.body.code]).toEqual([401, 'unauthorized']);
    expect((await refreshing(next.refreshToken, session.deviceId)).status).toBe(401);
    expect(await status({ ...session, ...next })).toBe(401);
    const again = await logIn(newPhone());
    expect(await status(again)).toBe(200);
  });

  it('[V19] of two turns ago ends the session, also within the grace', async () => {
    const session = await logIn(newPhone());
    const next = pair.parse((await refreshing(session.refreshToken, session.deviceId)).body);
    await refreshing(next.refreshToken, session.deviceId);
    expect((await refreshing(session.refreshToken, session.deviceId)).status).toBe(401);
    expect(await status(session)).toBe(401);
  });

  it('works on its own device only, and says no more than that', async () => {
    const session = await logIn(newPhone());
    const elsewhere = await refreshing(session.refreshToken, randomUUID());
    const forged = await refreshing(`scr_${'A'.repeat(70)}`, session.deviceId);
    const access = await refreshing(session.accessToken.slice(0, 200), session.deviceId);
    expect([elsewhere.status, forged.status, access.status]).toEqual([401, 401, 401]);
    expect(elsewhere.body.detail).toBe(forged.body.detail);
    expect((await refreshing(session.refreshToken, session.deviceId)).status).toBe(200);
  });

  it('[abuse 86] is no access token', async () => {
    const session = await logIn(newPhone());
    expect(await status({ ...session, accessToken: session.refreshToken })).toBe(401);
  });

  it('ends when nobody used it for its time', async () => {
    const session = await logIn(newPhone());
    clock.pass(5_184_000_001);
    expect((await refreshing(session.refreshToken, session.deviceId)).status).toBe(401);
  });
});

describe('a session', () => {
  it('[V18] is refused at once after logging out', async () => {
    const session = await logIn(newPhone());
    expect((await door.send('POST', '/v1/auth/logout', { ...by(session), json: {} })).status).toBe(
      200,
    );
    expect(await status(session)).toBe(401);
    expect((await refreshing(session.refreshToken, session.deviceId)).status).toBe(401);
  });

  it('[V18] ends at once when another device ends it, and no other session does', async () => {
    const phone = newPhone();
    const [mine, other] = [await logIn(phone), await logIn(phone)];
    const path = `/v1/me/sessions/${other.sessionId}`;
    expect((await door.send('DELETE', path, by(mine))).status).toBe(200);
    expect([await status(mine), await status(other)]).toEqual([200, 401]);
    const again = await door.send('DELETE', path, by(mine));
    expect([again.status, again.body.code]).toEqual([404, 'not_found']);
  });

  it('ends with all others but one’s own', async () => {
    const phone = newPhone();
    const sessions = [await logIn(phone), await logIn(phone), await logIn(phone)];
    const [mine] = sessions;
    if (mine) await door.send('DELETE', '/v1/me/sessions', by(mine));
    expect(await Promise.all(sessions.map(status))).toEqual([200, 401, 401]);
  });

  it('of somebody else is nobody’s to end', async () => {
    const [mine, theirs] = [await logIn(newPhone()), await logIn(newPhone())];
    const answer = await door.send('DELETE', `/v1/me/sessions/${theirs.sessionId}`, by(mine));
    expect(answer.status).toBe(404);
    expect(await status(theirs)).toBe(200);
  });

  it('ends when the same device logs in anew', async () => {
    const phone = newPhone();
    const first = await logIn(phone);
    const device = { id: first.deviceId, name: 'phone', platform: 'web' };
    const second = await logIn(phone, { device });
    expect(second.deviceId).toBe(first.deviceId);
    expect([await status(first), await status(second)]).toEqual([401, 200]);
  });
});

describe('devices', () => {
  it('[A10] [A11] are listed, renamed and removed', async () => {
    const phone = newPhone();
    const [mine, other] = [await logIn(phone), await logIn(phone)];
    const path = `/v1/me/devices/${other.deviceId}`;
    await door.send('PATCH', path, { ...by(mine), json: { name: 'Kitchen' } });
    const listed = await door.send('GET', '/v1/me/devices', by(mine));
    expect(listed.body.items).toMatchObject([
      { deviceId: mine.deviceId, current: true, session: { version: '1.0.0', method: 'code' } },
      { deviceId: other.deviceId, current: false, name: 'Kitchen' },
    ]);
    await door.send('DELETE', path, by(mine));
    const left = await door.send('GET', '/v1/me/devices', by(mine));
    expect(left.body.items).toHaveLength(1);
    expect(await status(other)).toBe(401);
  });

  it('[abuse 83] are six at most; the seventh is told which, and may replace one', async () => {
    const phone = newPhone();
    const six = [];
    for (let count = 0; count < 6; count += 1) six.push(await logIn(phone));
    const refused = await attempt(phone);
    const { code, details } = problem.parse(refused.body);
    expect([refused.status, code]).toEqual([409, 'too_many_devices']);
    expect(details?.devices?.map(({ deviceId }) => deviceId)).toEqual(
      six.map(({ deviceId }) => deviceId),
    );
    const replace = six[2]?.deviceId;
    const json = { ticket: details?.ticket, replace };
    const seventh = loggedIn.parse((await door.send('POST', '/v1/auth/tokens', { json })).body);
    expect(await status(seventh)).toBe(200);
    expect(six[2] && (await status(six[2]))).toBe(401);
    expect((await door.send('POST', '/v1/auth/tokens', { json })).status).toBe(401);
  });

  it('[abuse 83] are linked by a payload that one scans: once, within a minute', async () => {
    const mine = await logIn(newPhone());
    const device = { name: 'Browser', platform: 'web' };
    const begin = async () =>
      z
        .object({ payload: z.string(), ticket: z.string() })
        .parse((await door.send('POST', '/v1/auth/links', { json: { device } })).body);
    const approve = (payload: string) =>
      door.send('POST', '/v1/me/approvals', { ...by(mine), json: { payload } });
    const link = await begin();
    const early = await finish(link.ticket);
    expect([early.status, early.body.code]).toEqual([403, 'approval_required']);
    expect(await status(mine)).toBe(200);
    expect((await approve(link.payload)).status).toBe(200);
    expect((await approve(link.payload)).status).toBe(404);
    const linked = loggedIn.parse((await finish(link.ticket)).body);
    expect(linked.userId).toBe(mine.userId);
    expect((await finish(link.ticket)).status).toBe(401);
    const late = await begin();
    clock.pass(60_001);
    expect((await approve(late.payload)).status).toBe(404);
    expect((await finish(late.ticket)).status).toBe(401);
  });

  it('[abuse 84] that come by a code wait for approval where the person wants it', async () => {
    const phone = newPhone();
    const mine = await logIn(phone);
    const privacy = { json: { login: 'approval' } };
    await door.send('PATCH', '/v1/me/privacy', { ...by(mine), ...privacy });
    const held = await attempt(phone);
    const { code, details } = problem.parse(held.body);
    expect([held.status, code]).toEqual([403, 'approval_required']);
    const feed = await door.send('GET', '/v1/me/security', by(mine));
    const [notice] = feed.body.items ?? [];
    expect(notice?.type).toBe('login.held');
    const approvalId = notice?.data?.['approvalId'];
    const stranger = await logIn(newPhone());
    const decide = (session: LoggedIn) =>
      door.send('POST', '/v1/me/approvals', {
        ...by(session),
        json: { approvalId, approve: true },
      });
    expect((await decide(stranger)).status).toBe(404);
    expect((await decide(mine)).status).toBe(200);
    const json = { ticket: details?.ticket };
    const second = loggedIn.parse((await door.send('POST', '/v1/auth/tokens', { json })).body);
    expect(second.userId).toBe(mine.userId);
  });
});

describe('the security feed', () => {
  it('[A12] tells of logins and ends, newest first, by page', async () => {
    const phone = newPhone();
    const [mine, other] = [await logIn(phone), await logIn(phone)];
    await door.send('DELETE', `/v1/me/sessions/${other.sessionId}`, by(mine));
    const first = await door.send('GET', '/v1/me/security?limit=2', by(mine));
    expect(first.body.items).toMatchObject([
      { type: 'session.revoked', data: { sessionId: other.sessionId, reason: 'revoked' } },
      { type: 'session.started', data: { sessionId: other.sessionId } },
    ]);
    const next = await door.send('GET', `/v1/me/security?cursor=${first.body.cursor}`, by(mine));
    expect(next.body.items?.map(({ type }) => type)).toEqual([
      'session.started',
      'user.registered',
    ]);
    const stranger = await logIn(newPhone());
    expect((await door.send('GET', '/v1/me/security', by(stranger))).body.items).toHaveLength(2);
  });
});

/** 64 settings, whose names count from a number. */
const many = (from: number) =>
  Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`key${from + at}`, at]));

describe('a profile', () => {
  it('[A6] [A16] shows others what its person lets them see', async () => {
    const [mine, other] = [await logIn(newPhone()), await logIn(newPhone())];
    const seen = async (): Promise<object> =>
      (await door.send('GET', `/v1/users/${mine.userId}`, by(other))).body;
    await door.send('PATCH', '/v1/me', {
      ...by(mine),
      json: { name: 'Ada', about: 'At sea', avatar: 'media/1' },
    });
    expect(await seen()).toEqual({
      userId: mine.userId,
      name: 'Ada',
      about: 'At sea',
      avatar: 'media/1',
    });
    await door.send('PATCH', '/v1/me/privacy', { ...by(mine), json: { about: 'nobody' } });
    expect(await seen()).not.toHaveProperty('about');
    await door.send('PUT', `/v1/me/blocks/${other.userId}`, by(mine));
    expect(await seen()).toEqual({ userId: mine.userId, name: 'Ada' });
    await door.send('DELETE', `/v1/me/blocks/${other.userId}`, by(mine));
    expect(await seen()).toHaveProperty('avatar');
  });

  it('[A13] keeps settings of apps, up to a number of them', async () => {
    const mine = await logIn(newPhone());
    const change = (json: object) =>
      door.send('PATCH', '/v1/me/preferences', { ...by(mine), json });
    await change({ 'sound.on': true, theme: 'dark' });
    await change({ theme: null });
    expect((await door.send('GET', '/v1/me/preferences', by(mine))).body).toEqual({
      'sound.on': true,
    });
    for (let from = 0; from < 192; from += 64) expect((await change(many(from))).status).toBe(200);
    const tooMany = await change(many(192));
    expect([tooMany.status, tooMany.body.code]).toEqual([413, 'too_large']);
  });
});
