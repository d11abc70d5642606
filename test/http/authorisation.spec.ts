import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { People } from '#commands';
import { GrantRole, STAFF_ROLES } from '#domain';
import { AccessTokens, eventIdOf } from '#platform';
import { SteppedClock } from '#testing';
import { openDoor, type Door, type Person } from './door.js';

/** Everybody who may call a route. The owner, the member and the former one are of one group. */
const CALLERS = [
  'anonymous',
  'expired',
  'revoked',
  'stranger',
  'blocked',
  ...STAFF_ROLES,
  'formerMember',
  'member',
  'owner',
] as const;
type Caller = (typeof CALLERS)[number];

const WITHOUT_TOKEN: ReadonlySet<Caller> = new Set(['anonymous', 'expired', 'revoked']);
const OUTSIDE: ReadonlySet<Caller> = new Set(['stranger', 'blocked', ...STAFF_ROLES]);

type World = Readonly<{
  people: Readonly<Record<Exclude<Caller, 'anonymous'>, Person>>;
  conversationId: string;
  /** The owner's, from before the former member left. */
  messageId: string;
  broadcastId: string;
}>;
type Right = (caller: Caller) => number;

/** Statuses that are expected, by who calls. */
const whoever: Right = () => 200;
const loggedIn: Right = (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 200);
const inside =
  (rights: Readonly<{ formerMember?: number; member?: number; owner?: number }> = {}): Right =>
  (caller) => {
    if (WITHOUT_TOKEN.has(caller)) return 401;
    if (OUTSIDE.has(caller)) return 404;
    const given = { formerMember: 404, member: 200, owner: 200, ...rights };
    return caller === 'formerMember' || caller === 'member' || caller === 'owner'
      ? given[caller]
      : 404;
  };

type Row = Readonly<{
  right: Right;
  path?: (world: World, own: Person | undefined) => Readonly<Record<string, string>>;
  json?: (world: World, own: Person | undefined) => object;
  /** What is asked beside the path. */
  query?: string;
  /** The answer to who may; 2xx where it is not said. */
  allowed?: number;
}>;

const inGroup = ({ conversationId }: World) => ({ conversationId });
const madeUp = () => ({ token: 'x'.repeat(64) });
const nobodyIn: Right = (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404);
const ofMember = ({ conversationId, people }: World) => ({
  conversationId,
  userId: people.member.userId,
});
const message = ({ conversationId, messageId }: World) => ({ conversationId, messageId });
const ofBroadcast = ({ broadcastId }: World) => ({ conversationId: broadcastId });
const own = (right: Right = loggedIn, json?: Row['json']): Row => ({
  right,
  ...(json ? { json } : {}),
});
const within = (right: Right, json?: Row['json']): Row => ({
  right,
  path: inGroup,
  ...(json ? { json } : {}),
});
const nothing = () => ({});
const onlyAdmins = inside({ member: 403 });

/** Every route of the REST door, and who may. */
const ROUTES: Readonly<Record<string, Row>> = {
  'GET /livez': own(whoever),
  'GET /metrics': own(whoever),
  'GET /readyz': own(whoever),
  'GET /.well-known/jwks.json': own(whoever),
  'POST /v1/auth/codes': own(whoever, () => ({ phone: '+493012345678' })),
  'POST /v1/auth/tokens': {
    right: whoever,
    json: () => ({ ticket: 'made-up' }),
    allowed: 401,
  },
  'POST /v1/auth/links': own(whoever, () => ({ device: { name: 'x', platform: 'web' } })),
  'POST /v1/auth/refresh': {
    right: whoever,
    json: () => ({ refreshToken: 'made-up', deviceId: randomUUID() }),
    allowed: 401,
  },
  'POST /v1/auth/phone': {
    right: loggedIn,
    json: () => ({ requestId: randomUUID(), code: '000000' }),
    allowed: 401,
  },
  'POST /v1/auth/logout': own(loggedIn, nothing),
  'GET /v1/me': own(),
  'PATCH /v1/me': own(loggedIn, () => ({ about: 'x' })),
  'DELETE /v1/me': own(),
  'POST /v1/me/deactivate': own(loggedIn, nothing),
  'GET /v1/me/security': own(),
  'GET /v1/me/privacy': own(),
  'PATCH /v1/me/privacy': own(loggedIn, () => ({ typing: 'nobody' })),
  'GET /v1/me/preferences': own(),
  'PATCH /v1/me/preferences': own(loggedIn, () => ({ theme: 'dark' })),
  'PUT /v1/me/username': own(loggedIn, () => ({ username: `n${randomUUID().slice(0, 8)}` })),
  'POST /v1/me/exports': own(loggedIn),
  'GET /v1/me/exports/{exportId}': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: () => ({ exportId: randomUUID() }),
  },
  'GET /v1/me/exports/{exportId}/download': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: () => ({ exportId: randomUUID() }),
  },
  'GET /v1/conversations/{conversationId}/around': {
    right: inside({ formerMember: 200 }),
    path: inGroup,
    query: '?seq=0',
  },
  'GET /v1/conversations/{conversationId}/messages/{messageId}': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'GET /v1/me/arrangements': own(),
  'GET /v1/me/saved': own(),
  'GET /v1/me/drafts': own(),
  'GET /v1/me/scheduled': own(),
  'POST /v1/conversations/{conversationId}/scheduled': within(inside(), () => ({
    sendAt: new Date(clock.now() + 3_600_000).toISOString(),
    message: { text: 'x' },
  })),
  'PATCH /v1/me/scheduled/{scheduleId}': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: () => ({ scheduleId: randomUUID() }),
    json: () => ({ message: { text: 'x' } }),
  },
  'DELETE /v1/me/scheduled/{scheduleId}': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: () => ({ scheduleId: randomUUID() }),
  },
  'PUT /v1/conversations/{conversationId}/draft': within(inside(), () => ({ text: 'x' })),
  'DELETE /v1/conversations/{conversationId}/draft': within(loggedIn),
  'PATCH /v1/conversations/{conversationId}/arrangement': within(inside(), () => ({
    archived: true,
  })),
  'PUT /v1/conversations/{conversationId}/messages/{messageId}/saved': {
    right: inside({ formerMember: 200 }),
    path: message,
    json: nothing,
  },
  'DELETE /v1/conversations/{conversationId}/messages/{messageId}/saved': {
    right: loggedIn,
    path: message,
  },
  'GET /v1/me/blocks': own(),
  'PUT /v1/me/blocks/{userId}': {
    right: loggedIn,
    path: ({ people }, { userId } = people.stranger) => ({
      userId: userId === people.stranger.userId ? people.owner.userId : people.stranger.userId,
    }),
  },
  'DELETE /v1/me/blocks/{userId}': {
    right: loggedIn,
    path: ({ people }) => ({ userId: people.stranger.userId }),
  },
  'GET /v1/me/devices': own(),
  'PATCH /v1/me/devices/{deviceId}': {
    right: (caller) => (caller === 'owner' ? 200 : WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: ({ people }) => ({ deviceId: people.owner.deviceId }),
    json: () => ({ name: 'x' }),
  },
  'DELETE /v1/me/devices/{deviceId}': {
    right: (caller) => (caller === 'owner' ? 200 : WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: ({ people }) => ({ deviceId: people.owner.deviceId }),
  },
  'DELETE /v1/me/sessions/{sessionId}': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: () => ({ sessionId: randomUUID() }),
  },
  'DELETE /v1/me/sessions': own(),
  'POST /v1/me/approvals': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    json: () => ({ approvalId: randomUUID(), approve: true }),
  },
  'GET /v1/users/{userId}': {
    right: loggedIn,
    path: ({ people }) => ({ userId: people.owner.userId }),
  },
  'GET /v1/overview': own(),
  'GET /v1/conversations': own(),
  'POST /v1/conversations': own(loggedIn, () => ({ kind: 'group', name: 'x', members: [] })),
  'GET /v1/conversations/{conversationId}': within(inside()),
  'PATCH /v1/conversations/{conversationId}': within(onlyAdmins, () => ({ name: 'x' })),
  'DELETE /v1/conversations/{conversationId}': within(onlyAdmins),
  'PUT /v1/conversations/{conversationId}/members/{userId}/role': {
    right: onlyAdmins,
    path: ofMember,
    json: () => ({ role: 'moderator' }),
  },
  'PUT /v1/conversations/{conversationId}/owner': within(onlyAdmins, ({ people }) => ({
    userId: people.member.userId,
  })),
  'PUT /v1/conversations/{conversationId}/bans/{userId}': {
    right: onlyAdmins,
    path: ofMember,
    json: nothing,
  },
  'DELETE /v1/conversations/{conversationId}/bans/{userId}': { right: onlyAdmins, path: ofMember },
  'GET /v1/conversations/{conversationId}/permissions': within(inside()),
  'PATCH /v1/conversations/{conversationId}/permissions': within(onlyAdmins, () => ({
    send: 'member',
  })),
  'PATCH /v1/conversations/{conversationId}/pace': within(onlyAdmins, () => ({ slowModeS: 0 })),
  'PATCH /v1/conversations/{conversationId}/joining': within(onlyAdmins, () => ({
    approval: true,
  })),
  'POST /v1/conversations/{conversationId}/invites': within(onlyAdmins, nothing),
  'GET /v1/conversations/{conversationId}/invites': within(onlyAdmins),
  'DELETE /v1/conversations/{conversationId}/invites/{inviteId}': {
    right: onlyAdmins,
    path: ({ conversationId }) => ({ conversationId, inviteId: randomUUID() }),
  },
  'GET /v1/invites/{token}': { right: nobodyIn, path: madeUp },
  'POST /v1/invites/{token}/join': { right: nobodyIn, path: madeUp, json: nothing },
  'GET /v1/conversations/{conversationId}/preview': within(nobodyIn),
  'POST /v1/conversations/{conversationId}/join': within(inside(), nothing),
  'GET /v1/conversations/{conversationId}/waiting': within(onlyAdmins),
  'PUT /v1/conversations/{conversationId}/requests/{userId}': {
    right: onlyAdmins,
    path: ofMember,
  },
  'DELETE /v1/conversations/{conversationId}/requests/{userId}': {
    right: inside(),
    path: ofMember,
  },
  'GET /v1/me/waiting': own(),
  'POST /v1/conversations/{conversationId}/invitation/accept': within(inside(), nothing),
  'DELETE /v1/conversations/{conversationId}/invitations/{userId}': {
    right: onlyAdmins,
    path: ({ conversationId, people }) => ({ conversationId, userId: people.stranger.userId }),
  },
  'GET /v1/conversations/{conversationId}/members': within(inside()),
  'POST /v1/conversations/{conversationId}/members': within(onlyAdmins, ({ people }) => ({
    members: [people.stranger.userId],
  })),
  'DELETE /v1/conversations/{conversationId}/members/{userId}': {
    right: onlyAdmins,
    path: ({ conversationId, people }) => ({ conversationId, userId: people.member.userId }),
  },
  'POST /v1/conversations/{conversationId}/leave': within(inside(), nothing),
  'POST /v1/conversations/{conversationId}/follow': {
    right: loggedIn,
    path: ofBroadcast,
    json: nothing,
  },
  'DELETE /v1/conversations/{conversationId}/follow': { right: loggedIn, path: ofBroadcast },
  'POST /v1/conversations/{conversationId}/messages': within(inside(), () => ({ text: 'x' })),
  'GET /v1/conversations/{conversationId}/messages': within(inside({ formerMember: 200 })),
  // Here nobody signs heads, so there is nothing to prove with yet.
  'GET /v1/log/head': { right: whoever, allowed: 503 },
  'GET /v1/conversations/{conversationId}/proof': {
    right: inside({ formerMember: 200 }),
    path: inGroup,
    allowed: 503,
  },
  'GET /v1/conversations/{conversationId}/messages/{messageId}/receipts': {
    right: inside({ member: 403, formerMember: 403 }),
    path: message,
  },
  'GET /v1/conversations/{conversationId}/messages/{messageId}/versions': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'PATCH /v1/conversations/{conversationId}/messages/{messageId}': {
    right: inside({ member: 403 }),
    path: message,
    json: () => ({ text: 'otherwise' }),
  },
  'DELETE /v1/conversations/{conversationId}/messages/{messageId}': {
    right: inside({ member: 403 }),
    path: message,
  },
  'GET /v1/conversations/{conversationId}/messages/{messageId}/deliveries': {
    right: inside({ member: 403, formerMember: 403 }),
    path: message,
  },
  'POST /v1/conversations/{conversationId}/forwards': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: inGroup,
    json: () => ({ from: { conversationId: randomUUID(), messageId: randomUUID() } }),
  },
  'PUT /v1/conversations/{conversationId}/messages/{messageId}/pin': {
    right: onlyAdmins,
    path: message,
  },
  'DELETE /v1/conversations/{conversationId}/messages/{messageId}/pin': {
    right: inside({ member: 403 }),
    path: message,
  },
  'GET /v1/conversations/{conversationId}/pins': { right: inside(), path: inGroup },
  'GET /v1/conversations/{conversationId}/messages/{messageId}/thread': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'PUT /v1/conversations/{conversationId}/messages/{messageId}/thread/following': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'DELETE /v1/conversations/{conversationId}/messages/{messageId}/thread/following': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'POST /v1/conversations/{conversationId}/messages/{messageId}/thread/read': {
    right: inside({ formerMember: 200 }),
    path: message,
    json: () => ({ seq: 0 }),
  },
  'GET /v1/me/threads': own(),
  'PUT /v1/conversations/{conversationId}/messages/{messageId}/hidden': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'DELETE /v1/conversations/{conversationId}/messages/{messageId}/hidden': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'PUT /v1/conversations/{conversationId}/messages/{messageId}/reaction': {
    right: inside(),
    path: message,
    json: () => ({ emoji: '🙂' }),
  },
  'DELETE /v1/conversations/{conversationId}/messages/{messageId}/reaction': {
    right: inside(),
    path: message,
  },
  'GET /v1/conversations/{conversationId}/messages/{messageId}/reactions': {
    right: inside({ formerMember: 200 }),
    path: message,
  },
  'POST /v1/conversations/{conversationId}/marks': within(inside(), () => ({
    kind: 'read',
    seq: 0,
  })),
  'GET /v1/commands/{commandId}/trace': {
    right: (caller) => (WITHOUT_TOKEN.has(caller) ? 401 : 404),
    path: () => ({ commandId: randomUUID() }),
  },
};

const clock = new SteppedClock();
let door: Door;
beforeAll(async () => {
  clock.pass(3_600_000);
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' }, undefined, { clock });
});
afterAll(() => door.close());

const grant = async (userId: string, role: (typeof STAFF_ROLES)[number]): Promise<void> => {
  const commandId = randomUUID();
  const eventId = eventIdOf(`user-${userId}`, '', commandId);
  const meta = { commandId, eventId, actor: userId, at: clock.iso(), correlationId: commandId };
  await door.app.get(People).run(new GrantRole({ userId, role }, meta));
};

/** Somebody whose access token is of an hour ago. */
const late = async (): Promise<Person> => {
  const person = await door.person('Late');
  const tokens = new AccessTokens(door.ports.keys, new SteppedClock(), 600);
  const { token } = await tokens.issue({ ...person, sessionId: randomUUID() });
  return { ...person, accessToken: token };
};

const worldOf = async (): Promise<World> => {
  const staff = async (role: (typeof STAFF_ROLES)[number]): Promise<Person> => {
    const person = await door.person(role);
    await grant(person.userId, role);
    return person;
  };
  const [owner, member, formerMember] = [
    await door.person('Owner'),
    await door.person('Member'),
    await door.person('Former'),
  ];
  const [stranger, blocked, revoked] = [
    await door.person('Stranger'),
    await door.person('Blocked'),
    await door.person('Revoked'),
  ];
  await door.send('PUT', `/v1/me/blocks/${blocked.userId}`, { by: owner });
  await door.send('POST', '/v1/auth/logout', { by: revoked, json: {} });
  const start = async (kind: string, members: readonly Person[]) => {
    const json = { kind, name: kind, members: members.map(({ userId }) => userId) };
    const { body } = await door.send('POST', '/v1/conversations', { by: owner, json });
    return body.conversationId ?? '';
  };
  const conversationId = await start('group', [member, formerMember]);
  const said = await door.send('POST', `/v1/conversations/${conversationId}/messages`, {
    by: owner,
    json: { text: 'secret' },
  });
  await door.send('POST', `/v1/conversations/${conversationId}/leave`, {
    by: formerMember,
    json: {},
  });
  const people = { owner, member, formerMember, stranger, blocked, revoked };
  return {
    people: {
      ...people,
      auditor: await staff('auditor'),
      analyst: await staff('analyst'),
      operator: await staff('operator'),
      expired: await late(),
    },
    conversationId,
    messageId: said.body.messageId ?? '',
    broadcastId: await start('broadcast', []),
  };
};

const filled = (path: string, values: Readonly<Record<string, string>>): string =>
  path.replaceAll(/\{(\w+)\}/gu, (_, name: string) => values[name] ?? 'missing');

/** What a caller of a route was answered, and whether it told what is only for the group. */
const called = async (route: string, row: Row, world: World, caller: Caller) => {
  const [method = '', path = ''] = route.split(' ');
  const by = caller === 'anonymous' ? undefined : world.people[caller];
  const { status, text } = await door.send(
    method,
    filled(`${path}${row.query ?? ''}`, row.path?.(world, by) ?? {}),
    {
      ...(by ? { by } : {}),
      ...(row.json ? { json: row.json(world, by) } : {}),
    },
  );
  return { status: status < 300 ? 200 : status, tells: text.includes('secret') };
};

describe('The authorisation matrix', () => {
  it('[V17] [abuse 15] has a row for every route', () => {
    const routes = door.routes().filter((route) => !/ \/(docs|asyncapi)/u.test(route));
    expect(Object.keys(ROUTES).toSorted()).toEqual(routes.toSorted());
  });

  it.each(Object.entries(ROUTES))('[V17] %s', async (route, row) => {
    const world = await worldOf();
    for (const caller of CALLERS) {
      const right = row.right(caller);
      const { status, tells } = await called(route, row, world, caller);
      const expected = right === 200 ? (row.allowed ?? 200) : right;
      expect([caller, status, tells && right !== 200]).toEqual([caller, expected, false]);
    }
  });
});
