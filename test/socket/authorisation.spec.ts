import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scripta } from '#client';
import { COMMANDS } from '#commands';
import { STAFF_ROLES } from '#domain';
import { newPhone, startPlatform, TEST_PHONES, type Platform } from '#testing';
import { connectBare, type Bare } from './wire.js';

/** Who has a socket; who has no good token gets none (abuse 33, V18). */
const CALLERS = ['stranger', 'blocked', ...STAFF_ROLES, 'formerMember', 'member', 'owner'] as const;
type Caller = (typeof CALLERS)[number];
type Speaker = Bare & Readonly<{ client: Scripta; token: string }>;

let platform: Platform;
const people = new Map<Caller, Speaker>();
const speaker = (caller: Caller): Speaker => {
  const found = people.get(caller);
  if (!found) throw new Error(`${caller} has not come.`);
  return found;
};
const idOf = (caller: Caller): string => speaker(caller).client.userId;

const join = async (name: string): Promise<Speaker> => {
  const client = new Scripta({ url: platform.url });
  const { requestId } = await client.requestCode(newPhone());
  const { accessToken: token } = await client.login({ requestId, code: TEST_PHONES.code, name });
  return { client, token, ...(await connectBare(platform.url.socket, token)) };
};

const tell = ({ ask }: Bare, name: string, data: object) =>
  ask(name, { v: 1, id: randomUUID(), data });

/** Grants as an operator does: by the command line. */
const grant = (userId: string, role: string) =>
  promisify(execFile)(process.execPath, ['dist/tools/roles/main.js', 'grant', userId, role], {
    env: { ...process.env, ...platform.settings },
  });

beforeAll(async () => {
  platform = await startPlatform();
  for (const caller of CALLERS) people.set(caller, await join(caller));
  for (const role of STAFF_ROLES) await grant(idOf(role), role);
  await tell(speaker('owner'), 'person.block', { userId: idOf('blocked') });
}, 120_000);
afterAll(async () => {
  for (const { socket, client } of people.values()) {
    socket.disconnect();
    await client.close();
  }
  await platform.stop();
});

type Right = (caller: Caller) => string;
const OUTSIDE: ReadonlySet<Caller> = new Set([
  'stranger',
  'blocked',
  'formerMember',
  ...STAFF_ROLES,
]);
const everybody: Right = () => 'ok';
const members: Right = (caller) => (OUTSIDE.has(caller) ? 'not_found' : 'ok');
const admins: Right = (caller) => (caller === 'member' ? 'forbidden' : members(caller));
const nobody =
  (code: string): Right =>
  () =>
    code;

type Place = Readonly<{ conversationId: string; broadcastId: string }>;
type Row = Readonly<{ right: Right; data: (place: Place, caller: Caller) => object }>;
const row = (right: Right, data: Row['data'] = () => ({})): Row => ({ right, data });
const there =
  (more: object = {}) =>
  ({ conversationId }: Place) => ({ conversationId, ...more });
const ofMember =
  (more: object = {}) =>
  ({ conversationId }: Place) => ({ conversationId, userId: idOf('member'), ...more });
const audience = ({ broadcastId }: Place) => ({ conversationId: broadcastId });
const other = (_: Place, caller: Caller) => ({
  userId: idOf(caller === 'stranger' ? 'owner' : 'stranger'),
});

/** Every command, and who may. Those that end the caller's own session are last of all. */
const EVENTS: Readonly<Record<string, Row>> = {
  'conversation.start': row(everybody, () => ({ kind: 'group', name: 'x', members: [] })),
  'conversation.rename': row(admins, there({ name: 'x' })),
  'conversation.change': row(admins, there({ description: 'x' })),
  'conversation.delete': row(admins, there({ history: 'kept' })),
  'role.change': row(admins, ofMember({ role: 'moderator' })),
  'ownership.transfer': row(admins, ofMember()),
  'member.ban': row(admins, ofMember()),
  'member.unban': row(admins, ofMember()),
  'permissions.change': row(admins, there({ permissions: { send: 'member' } })),
  'pace.change': row(admins, there({ slowModeS: 0 })),
  'joining.change': row(admins, there({ approval: true })),
  'invite.create': row(admins, there()),
  'invite.revoke': row(admins, there({ inviteId: randomUUID() })),
  'invite.join': row(nobody('not_found'), () => ({ token: 'x'.repeat(64) })),
  'conversation.join': row(members, there()),
  'request.approve': row(admins, ofMember()),
  'request.end': row(members, ofMember()),
  'invitation.accept': row(members, there()),
  'invitation.end': row(nobody('not_found'), (place, caller) => ({
    conversationId: place.conversationId,
    userId: idOf(caller),
  })),
  'conversation.leave': row(members, there()),
  'member.add': row(admins, ({ conversationId }) => ({
    conversationId,
    members: [idOf('stranger')],
  })),
  'member.remove': row(admins, ({ conversationId }) => ({
    conversationId,
    userId: idOf('member'),
  })),
  'message.send': row(members, there({ text: 'x' })),
  'message.edit': row(nobody('not_found'), there({ messageId: randomUUID(), text: 'x' })),
  'message.delete': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'broadcast.follow': row(everybody, audience),
  'broadcast.unfollow': row(everybody, audience),
  'user.rename': row(everybody, () => ({ name: 'x' })),
  'profile.change': row(everybody, () => ({ about: 'x' })),
  'privacy.change': row(everybody, () => ({ typing: 'nobody' })),
  'preferences.change': row(everybody, () => ({ theme: 'dark' })),
  'username.choose': row(everybody, () => ({ username: `n${randomUUID().slice(0, 8)}` })),
  'person.block': row(everybody, other),
  'person.unblock': row(everybody, other),
  'device.rename': row(
    (caller) => (caller === 'owner' ? 'ok' : 'not_found'),
    () => ({ deviceId: speaker('owner').client.deviceId, name: 'x' }),
  ),
  'device.remove': row(nobody('not_found'), () => ({ deviceId: randomUUID() })),
  'session.revoke': row(nobody('not_found'), () => ({ sessionId: randomUUID() })),
  'sessions.revoke': row(everybody),
  'conversation.arrange': row(members, there({ archived: true })),
  'message.save': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'message.unsave': row(everybody, there({ messageId: randomUUID() })),
  'message.schedule': row(members, (place) => ({
    ...there({ message: { text: 'x' } })(place),
    sendAt: new Date(Date.now() + 3_600_000).toISOString(),
  })),
  'message.reschedule': row(nobody('not_found'), () => ({
    scheduleId: randomUUID(),
    message: { text: 'x' },
  })),
  'message.unschedule': row(nobody('not_found'), () => ({ scheduleId: randomUUID() })),
  'draft.set': row(members, there({ text: 'x' })),
  'draft.clear': row(everybody, there()),
  'message.forward': row(
    nobody('not_found'),
    there({ from: { conversationId: randomUUID(), messageId: randomUUID() } }),
  ),
  'message.pin': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'message.unpin': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'message.hide': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'message.unhide': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'thread.follow': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'thread.unfollow': row(nobody('not_found'), there({ messageId: randomUUID() })),
  'thread.read': row(nobody('not_found'), there({ messageId: randomUUID(), seq: 0 })),
  'receipt.mark': row(members, there({ kind: 'read', seq: 0 })),
  'reaction.set': row(nobody('not_found'), there({ messageId: randomUUID(), emoji: '🙂' })),
};
/** What ends the caller's session needs somebody of its own for each caller. */
const ENDING = ['account.deactivate', 'account.delete'];
/** What overwrites is no command: it has its own ways in. */
const REGISTERS = new Set(['receipt.mark', 'reaction.set']);
/** Requests of the connection itself, with their own shapes. */
const OF_CONNECTION = ['resume', 'auth.refresh', 'ack'];

const placeOf = async (): Promise<Place> => {
  const owner = speaker('owner');
  const started = async (kind: string, joining: readonly Caller[]): Promise<string> => {
    const data = { kind, name: 'x', members: joining.map(idOf) };
    const answer = await tell(owner, 'conversation.start', data);
    return String(answer.data?.['conversationId']);
  };
  const conversationId = await started('group', ['member', 'formerMember']);
  await tell(speaker('formerMember'), 'conversation.leave', { conversationId });
  return { conversationId, broadcastId: await started('broadcast', []) };
};

describe('The authorisation matrix of the socket', () => {
  it('[V17] has a row for every command', () => {
    const known = [...Object.keys(EVENTS), ...ENDING].filter((name) => !REGISTERS.has(name));
    expect(known.toSorted()).toEqual(Object.keys(COMMANDS).toSorted());
  });

  it.each(Object.entries(EVENTS))('[V17] %s', async (name, { right, data }) => {
    const place = await placeOf();
    for (const caller of CALLERS) {
      const answer = await tell(speaker(caller), name, data(place, caller));
      expect([caller, answer.ok ? 'ok' : answer.error?.code]).toEqual([caller, right(caller)]);
    }
  });

  it.each(ENDING)('[V17] %s is of one’s own account', async (name) => {
    const [one, another] = [await join('One'), await join('Another')];
    expect(await tell(one, name, { userId: another.client.userId })).toMatchObject({ ok: false });
    expect(await tell(one, name, {})).toMatchObject({ ok: true });
    expect(await tell(another, 'user.rename', { name: 'Still here' })).toMatchObject({ ok: true });
    another.socket.disconnect();
    await Promise.all([one.client.close(), another.client.close()]);
  });

  it.each(OF_CONNECTION)('[V17] %s speaks for its own connection only', async (name) => {
    const [ada, eve] = [speaker('owner'), speaker('stranger')];
    const payloads: Readonly<Record<string, object>> = {
      resume: { v: 1, cursor: null, userId: ada.client.userId },
      'auth.refresh': { v: 1, token: ada.token },
      ack: { v: 1, position: '0', userId: ada.client.userId },
    };
    if (name === 'ack') eve.socket.emit(name, payloads[name]);
    const answer = await eve.ask(name === 'ack' ? 'resume' : name, payloads[name]);
    expect(answer).toMatchObject({ ok: false });
  });
});
