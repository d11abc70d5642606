import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ScriptaError } from '#client';
import {
  AccessTokens,
  Clock,
  EventStoreDb,
  LocalKeys,
  SystemClock,
  type EventStore,
} from '#platform';
import { newDevice, newPerson, startPlatform, type Device, type Platform } from '#testing';
import { Cursors } from '../../apps/realtime/src/cursor.js';
import {
  bareClient,
  closed,
  connectBare,
  rawSocket,
  refusalOf,
  upgradeStatus,
  type Bare,
} from './wire.js';

const HANDSHAKE_MS_MAX = 10_000;
const EXPIRY_GRACE_MS = 30_000;

let platform: Platform;
let store: EventStore;
let keys: LocalKeys;
let url: string;
let ada: Device;
let ben: Device;
let conversationId: string;

/** A clock in the past, for tokens that are over. */
class EarlierClock extends Clock {
  constructor(private readonly byMs: number) {
    super();
  }

  override now(): number {
    return Date.now() - this.byMs;
  }

  override monotonic(): number {
    return performance.now();
  }
}

const tokenFor = async (
  who: Readonly<{ userId: string; deviceId: string }>,
  { ttlS = 3_600, clock = new SystemClock() }: Readonly<{ ttlS?: number; clock?: Clock }> = {},
): Promise<string> =>
  (await new AccessTokens(keys, clock, ttlS).issue({ sessionId: randomUUID(), ...who })).token;

/** A device of its own for a person, so that one test's limits are not another's. */
const stranger = () => ({ userId: randomUUID(), deviceId: randomUUID() });

const connectedAs = async (who: Readonly<{ userId: string; deviceId: string }>): Promise<Bare> =>
  connectBare(url, await tokenFor(who));

/** Ada on another device. */
const adaAgain = () => connectedAs({ userId: ada.client.userId, deviceId: randomUUID() });

const message = (text = 'hello', more: object = {}) => ({
  v: 1,
  id: randomUUID(),
  data: { conversationId, text, ...more },
});

/** Where the log ends: moves when anything is stored. */
const headNow = async (): Promise<number> => {
  const prefixes = ['conversation-', 'audience-', 'receipts-', 'user-', 'claim-'];
  return (await store.head(prefixes))?.position ?? -1;
};

/** Longer than a tick of receipts, so that the marks of an earlier test are in the log. */
const QUIET_MS = 500;

/** Where the log stands once it stands still. */
const stored = async (): Promise<number> => {
  for (let before = await headNow(); ;) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const now = await headNow();
    if (now === before) return now;
    before = now;
  }
};

beforeAll(async () => {
  platform = await startPlatform({ env: { RATE_LIMIT_COMMANDS: 'true' } });
  url = platform.url.socket;
  store = new EventStoreDb(platform.settings['EVENTSTORE_URL'] ?? '');
  keys = await LocalKeys.open({ dataDir: platform.dataDir, masterKey: '' }, new SystemClock());
  ada = await newPerson({ url: platform.url }, 'Ada');
  ben = await newPerson({ url: platform.url }, 'Ben');
  const members = [ben.client.userId];
  ({ conversationId } = await ada.client.startGroup({ name: 'Group', members }));
});

afterAll(async () => {
  await ada?.client.close();
  await ben?.client.close();
  await store?.close();
  await keys?.close();
  await platform?.stop();
});

let pid = 0;
// Whatever a test did, the process that it did it to is still the same.
afterEach(async () => {
  pid ||= platform.pid('realtime');
  const { status } = await fetch(`${url}/readyz`);
  if (status !== 200 || platform.pid('realtime') !== pid || !platform.isRunning('realtime'))
    throw new Error(`The socket door did not survive this:\n${platform.log('realtime')}`);
});

it.concurrent(
  '[abuse 41] closes a socket 30 s after its token, unless the token was refreshed',
  async () => {
    const [over, fresh] = [stranger(), stranger()];
    const start = Date.now();
    const expiring = await connectBare(url, await tokenFor(over, { ttlS: 1 }));
    const refreshed = await connectBare(url, await tokenFor(fresh, { ttlS: 1 }));
    const wrong = await refreshed.ask('auth.refresh', { v: 1, token: await tokenFor(over) });
    expect(wrong.error?.code).toBe('unauthorized');
    const right = await refreshed.ask('auth.refresh', { v: 1, token: await tokenFor(fresh) });
    expect(right.ok).toBe(true);
    await expiring.gone;
    expect(expiring.errors).toEqual([expect.objectContaining({ code: 'unauthorized' })]);
    expect(Date.now() - start).toBeGreaterThanOrEqual(EXPIRY_GRACE_MS);
    expect(refreshed.socket.connected).toBe(true);
    refreshed.socket.disconnect();
  },
  60_000,
);

it.concurrent(
  '[abuse 40] closes a connection that never shows a token',
  async () => {
    const start = Date.now();
    const silent = rawSocket(url);
    await closed(silent);
    expect(Date.now() - start).toBeGreaterThan(HANDSHAKE_MS_MAX / 2);
    expect(Date.now() - start).toBeLessThan(HANDSHAKE_MS_MAX * 2);
  },
  30_000,
);

it.concurrent(
  '[T36] puts out a reader that neither acknowledges nor resumes, at its window',
  async () => {
    const [author, slow] = [
      await newPerson({ url: platform.url }),
      await newPerson({ url: platform.url }),
    ];
    const members = [slow.client.userId];
    const { conversationId: group } = await author.client.startGroup({ name: 'Slow', members });
    const bare = await connectedAs({ userId: slow.client.userId, deviceId: randomUUID() });
    const told: string[] = [];
    bare.socket.onAny((name: string) => told.push(name));
    await bare.ask('resume', { v: 1, cursor: null });
    // 20 messages of 60 KB are more than the window of 1 MiB.
    const text = 'x'.repeat(60_000);
    for (let at = 0; at < 20; at++) await author.client.send(group, text);
    expect(await bare.gone).toBe('io server disconnect');
    expect(bare.errors).toEqual([expect.objectContaining({ code: 'behind' })]);
    expect(told.filter((name) => name === 'message.sent')).toHaveLength(17);
    expect(told.filter((name) => name === 'behind')).toHaveLength(1);
    await author.client.close();
    await slow.client.close();
  },
  60_000,
);

it('[abuse 33] refuses a missing, broken, expired or foreign token before there is a socket', async () => {
  const who = stranger();
  const seed = keys.derive('access-token:1.0');
  const sign = (claims: object, header: object = {}) =>
    new SignJWT({ did: who.deviceId, ...claims })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', ...header })
      .setSubject(who.userId)
      .setIssuer('scripta')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(seed);
  const good = await tokenFor(who);
  const [, payload = ''] = good.split('.');
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
  const expired = await tokenFor(who, { clock: new EarlierClock(7_200_000) });
  const tokens: unknown[] = [
    undefined,
    '',
    'nonsense',
    42,
    null,
    expired,
    await sign({ aud: 'another' }),
    await sign({ aud: 'scripta' }),
    `${none}.${payload}.`,
    `${good.slice(0, -4)}AAAA`,
    'x'.repeat(50_000),
  ];
  const before = await stored();
  for (const token of tokens) {
    const refusal = await refusalOf(bareClient(url, { token, protocol: 1, capabilities: [] }));
    expect(refusal.message).toBe('unauthorized');
    expect(refusal.data).toEqual({ code: 'unauthorized', retryable: false });
  }
  const tomorrow = bareClient(url, { token: good, protocol: 2, capabilities: [] });
  expect((await refusalOf(tomorrow)).message).toBe('bad_request');
  expect(await stored()).toBe(before);
});

it('[abuse 34] refuses a token in the query', async () => {
  const token = await tokenFor(stranger());
  for (const name of ['token', 'access_token', 'auth']) {
    const query = `EIO=4&transport=websocket&${name}=${token}`;
    expect(await upgradeStatus(rawSocket(url, query))).toBe(403);
  }
});

it('[abuse 35] refuses a foreign origin and takes its own', async () => {
  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1.evil.example:3000'])
    expect(await upgradeStatus(rawSocket(url, '', { origin }))).toBe(403);
  for (const origin of ['http://127.0.0.1:3000', 'http://localhost:3000'])
    expect(await upgradeStatus(rawSocket(url, '', { origin }))).toBe(101);
});

it('[abuse 36] has no polling, and no session id that could be guessed', async () => {
  for (const query of ['EIO=4&transport=polling', 'EIO=4&transport=polling&sid=guess']) {
    expect((await fetch(`${url}/socket.io/?${query}`)).status).toBe(400);
    expect((await fetch(`${url}/socket.io/?${query}`, { method: 'POST' })).status).toBe(400);
  }
  const guessed = rawSocket(url, 'EIO=4&transport=websocket&sid=guess');
  expect(await upgradeStatus(guessed)).toBe(400);
});

it('[abuse 37] refuses the protocol before the current one', async () => {
  expect(await upgradeStatus(rawSocket(url, 'EIO=3&transport=websocket'))).toBe(400);
  expect(await upgradeStatus(rawSocket(url, 'transport=websocket'))).toBe(400);
});

it('[abuse 38] knows one namespace, and does not let one connection ask for a thousand', async () => {
  const other = bareClient(`${url}/admin`, { token: await tokenFor(stranger()), protocol: 1 });
  expect((await refusalOf(other)).message).toBe('Invalid namespace');
  const bare = await connectedAs(stranger());
  for (let at = 0; at < 1_000; at++) bare.socket.io.engine.write(`0/namespace-${at},{}`);
  await bare.gone;
});

it('[abuse 39] lets one person have ten sockets and no more', async () => {
  const { userId } = stranger();
  const tokens = await Promise.all(
    Array.from({ length: 11 }, () => tokenFor({ userId, deviceId: randomUUID() })),
  );
  const [extra = '', ...ten] = tokens;
  const sockets = await Promise.all(ten.map((token) => connectBare(url, token)));
  const refusal = await refusalOf(bareClient(url, { token: extra, protocol: 1 }));
  expect(refusal.message).toBe('rate_limited');
  expect(refusal.data).toMatchObject({ retryable: true });
  for (const { socket } of sockets) socket.disconnect();
});

it('[abuse 39] makes one who connects all the time wait', async () => {
  const token = await tokenFor(stranger());
  const refusals: string[] = [];
  for (let at = 0; at < 60; at++) {
    const socket = bareClient(url, { token, protocol: 1, capabilities: [] });
    refusals.push(
      await new Promise<string>((resolve) => {
        socket.once('connect', () => resolve('connected'));
        socket.once('connect_error', ({ message: code }) => resolve(code));
      }),
    );
    socket.disconnect();
  }
  expect(new Set(refusals)).toEqual(new Set(['connected', 'rate_limited']));
});

it('[abuse 42] ignores forged fields of a recovery that does not exist', async () => {
  const token = await tokenFor(stranger());
  const bare = await connectBare(url, token, { pid: 'guessed', offset: 'guessed' });
  expect(bare.socket.recovered).not.toBe(true);
  expect((await bare.ask('resume', { v: 1, cursor: null })).data).toMatchObject({ facts: [] });
  bare.socket.disconnect();
});

it('[abuse 43] answers unknown and reserved names, and tires of them', async () => {
  const before = await stored();
  const bare = await adaAgain();
  for (const name of ['nope', '__proto__', 'constructor', 'toString', 'error', 'welcome', '']) {
    const { ok, error } = await bare.ask(name, message());
    expect(ok).toBe(false);
    expect(error).toMatchObject({ code: 'unknown_event', retryable: false });
  }
  for (let at = 0; at < 20; at++) bare.socket.emit('nope', null);
  await bare.gone;
  expect(bare.errors).toEqual([expect.objectContaining({ code: 'unknown_event' })]);
  for (const reserved of ['connect', 'disconnect', 'disconnecting', 'newListener']) {
    const guesser = await connectedAs(stranger());
    guesser.socket.io.engine.write(`2["${reserved}"]`);
    await guesser.gone;
  }
  expect(await stored()).toBe(before);
});

it('[abuse 44] answers a payload of the wrong kind', async () => {
  const before = await stored();
  const payloads = [
    null,
    undefined,
    [],
    'text',
    42,
    true,
    {},
    { v: 2, id: randomUUID(), data: {} },
    { ...message(), v: '1' },
    { ...message(), id: 'not-a-uuid' },
    { ...message(), n: 0 },
    { ...message(), isAdmin: true },
    message('hello', { senderId: ben.client.userId }),
    { ...message(), data: null },
    { ...message(), data: { conversationId, text: 42 } },
  ];
  for (const payload of payloads)
    for (const name of ['message.send', 'resume', 'receipt.mark', 'auth.refresh']) {
      const bare = await connectedAs(stranger());
      const { ok, error } = await bare.ask(name, payload);
      expect(ok).toBe(false);
      expect({ name, ...error }).toMatchObject({ code: 'bad_request', retryable: false });
      expect(JSON.stringify(error)).not.toContain(ben.client.userId);
      bare.socket.disconnect();
    }
  const polluted = await adaAgain();
  const json = JSON.stringify(message()).replace('{', '{"__proto__":{"isAdmin":true},');
  polluted.socket.io.engine.write(`27["message.send",${json}]`);
  // As text: the client's own library does not go so deep.
  const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  polluted.socket.io.engine.write(`26["message.send",${nested}]`);
  polluted.socket.io.engine.write(
    `25["message.send",{"v":1,"id":"${randomUUID()}","data":${nested}}]`,
  );
  polluted.socket.io.engine.write(`28["resume",{"constructor":{"prototype":{}},"v":1}]`);
  expect((await polluted.ask('resume', null)).error?.code).toBe('bad_request');
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  polluted.socket.disconnect();
  expect(await stored()).toBe(before);
});

it('[abuse 45] carries out what comes without a callback, and survives what is wrong with it', async () => {
  const bare = await adaAgain();
  const text = `without a callback ${randomUUID()}`;
  bare.socket.emit('message.send');
  bare.socket.emit('message.send', null);
  bare.socket.emit('resume');
  bare.socket.emit('resume', { v: 1, cursor: 'nonsense' });
  bare.socket.emit('message.send', message(text));
  const said = () => ben.facts.filter((fact) => 'text' in fact.data && fact.data.text === text);
  await expect.poll(() => said().length).toBe(1);
  bare.socket.disconnect();
});

it('[abuse 46] ignores acknowledgements that nobody asked for', async () => {
  const bare = await connectedAs(stranger());
  for (const id of [0, 1, 7, 999_999]) bare.socket.io.engine.write(`3${id}["forged"]`);
  bare.socket.io.engine.write('37[]');
  bare.socket.io.engine.write('37[]');
  expect((await bare.ask('resume', { v: 1, cursor: null })).ok).toBe(true);
  bare.socket.disconnect();
});

it('[abuse 47] limits who sends too much, and cuts off a flood', async () => {
  const bare = await adaAgain();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => bare.ask('message.send', message(`burst ${at}`))),
  );
  const limited = answers.filter(({ error }) => error?.code === 'rate_limited');
  expect(limited.length).toBeGreaterThanOrEqual(30);
  expect(limited.length).toBeLessThanOrEqual(40);
  for (const { error } of limited) {
    expect(error?.retryable).toBe(true);
    expect(error?.retryAfterMs).toBeGreaterThan(0);
  }
  const before = await stored();
  for (let at = 0; at < 1_000; at++) bare.socket.emit('message.send', { v: 1 });
  await bare.gone;
  expect(bare.errors).toEqual([expect.objectContaining({ code: 'rate_limited' })]);
  expect(await stored()).toBe(before);
});

it('[abuse 48] has no event by which a client enters a room', async () => {
  const bare = await connectedAs(stranger());
  const heard: string[] = [];
  bare.socket.onAny((name: string) => heard.push(name));
  await bare.ask('resume', { v: 1, cursor: null });
  for (const name of ['join', 'subscribe', 'room.join']) {
    const { error } = await bare.ask(name, conversationId);
    expect(error?.code).toBe('unknown_event');
  }
  const text = `not for strangers ${randomUUID()}`;
  await ada.client.send(conversationId, text);
  await expect.poll(() => JSON.stringify(ben.facts)).toContain(text);
  await bare.ask('resume', null);
  expect(heard).toEqual([]);
  bare.socket.disconnect();
});

it('[abuse 49] stores nothing of typing and presence', async () => {
  const before = await stored();
  const bare = await adaAgain();
  for (const name of ['typing.set', 'presence.set'])
    for (let at = 0; at < 5; at++) {
      const { ok } = await bare.ask(name, { v: 1, conversationId });
      expect(ok).toBe(false);
    }
  bare.socket.disconnect();
  expect(await stored()).toBe(before);
});

it('[abuse 50] refuses, clamps or ignores marks that cannot be', async () => {
  const { seq } = await ada.client.send(conversationId, 'to be read');
  const bare = await connectedAs({ userId: ben.client.userId, deviceId: randomUUID() });
  const mark = (data: object) =>
    bare.ask('receipt.mark', {
      v: 1,
      id: randomUUID(),
      data: { conversationId, kind: 'read', seq, ...data },
    });
  const before = await stored();
  expect((await mark({ conversationId: randomUUID() })).error?.code).toBe('not_found');
  for (const wrong of [{ seq: -1 }, { seq: 0.5 }, { seq: '3' }, { seq: 2 ** 60 }, { kind: 'seen' }])
    expect((await mark(wrong)).error?.code).toBe('bad_request');
  const outsider = await connectedAs(stranger());
  const foreign = { v: 1, id: randomUUID(), data: { conversationId, kind: 'read', seq } };
  expect((await outsider.ask('receipt.mark', foreign)).error?.code).toBe('not_found');
  outsider.socket.disconnect();
  expect(await stored()).toBe(before);

  const future = await mark({ seq: 1_000_000 });
  expect(future).toMatchObject({ ok: true, data: { seq } });
  const moved = await stored();
  expect(await mark({ seq: 1 })).toMatchObject({ ok: true, duplicate: true });
  expect(await stored()).toBe(moved);
  const minPosition = future.position;
  const item = await ben.client.conversation(conversationId, { minPosition });
  expect(item.read).toBe(seq);
  bare.socket.disconnect();
});

/** The last fact that is stored. */
const headOf = async () => {
  const { position = 0, eventId: id = '' } = (await store.head(['conversation-'])) ?? {};
  return { position, id };
};

it('[abuse 51] asks for a new start where a cursor cannot be', async () => {
  const who = stranger();
  const bare = await connectedAs(who);
  const { position, id } = await headOf();
  const cursors = new Cursors(keys, store);
  const signed = (at: number, eventId = id) => cursors.of({ position: at, eventId }, who);
  const unknown = [
    // Of another log, or of one that was longer.
    signed(position, randomUUID()),
    signed(position + 1),
    signed(position + 1_000_000_000),
    signed(Number.MAX_SAFE_INTEGER),
    // As they were before cursors were signed.
    `${position}.${id}`,
    'origin',
    '',
    '.',
    '-1',
    'NaN',
    'nonsense',
    '{"position":1}',
    signed(position).slice(1),
    `${signed(position)}A`,
  ];
  const codeOf = async (more: object) => (await bare.ask('resume', { v: 1, ...more })).error?.code;
  for (const cursor of unknown) {
    const { error } = await bare.ask('resume', { v: 1, cursor });
    expect({ cursor, ...error }).toMatchObject({ code: 'resync_required', retryable: false });
  }
  for (const cursor of [42, {}, ['a'], undefined, 'x'.repeat(10_000)])
    expect(await codeOf({ cursor })).toBe('bad_request');
  const cursor = signed(position);
  expect(await codeOf({ cursor })).toBeUndefined();
  const back = { position: String(position - 1), id };
  const beyond = { position: String(position + 1), id };
  for (const after of [back, beyond])
    expect(await codeOf({ cursor, after })).toBe('resync_required');
  for (const after of ['1', { position: -1, id }, { position: '1' }, { position: '1', id: 'x' }])
    expect(await codeOf({ cursor, after })).toBe('bad_request');
  bare.socket.disconnect();
});

it('[abuse 51] refuses a cursor that is forged, or of another person or device', async () => {
  const who = stranger();
  const bare = await connectedAs(who);
  const { position, id: eventId } = await headOf();
  const place = { position, eventId };
  const cursors = new Cursors(keys, store);
  const good = cursors.of(place, who);
  const forged = Array.from(Buffer.from(good, 'base64url'), (byte, at) => {
    const bytes = Buffer.from(good, 'base64url');
    // The first byte says which kind of cursor it is.
    bytes[Math.max(at, 1)] = byte ^ 1;
    return bytes.toString('base64url');
  });
  const foreign = [
    ...forged.slice(1),
    cursors.of(place, { ...who, deviceId: randomUUID() }),
    cursors.of(place, { ...who, userId: randomUUID() }),
  ];
  for (const cursor of foreign) {
    const { error } = await bare.ask('resume', { v: 1, cursor });
    expect(error).toMatchObject({ code: 'forbidden', retryable: false });
    expect(error?.message).toBe('This cursor was not given to this device; resume with null.');
  }
  expect((await bare.ask('resume', { v: 1, cursor: good })).ok).toBe(true);
  bare.socket.disconnect();
});

it('[abuse 53] closes a connection that sends binary', async () => {
  const before = await stored();
  const one = await connectedAs(stranger());
  one.socket.emit('message.send', { ...message(), data: Buffer.from('binary') });
  await one.gone;
  const many = await connectedAs(stranger());
  many.socket.emit(
    'message.send',
    Array.from({ length: 11 }, () => Buffer.from('binary')),
  );
  await many.gone;
  const torn = await connectedAs(stranger());
  torn.socket.io.engine.write('51-["message.send",{"_placeholder":true,"num":0}]');
  await torn.gone;
  expect(await stored()).toBe(before);
});

it.each([300_000, 1_100_000, 8_000_000])(
  '[abuse 54] closes on a frame of %i bytes',
  async (size) => {
    const before = await stored();
    const bare = await connectedAs(stranger());
    bare.socket.emit('message.send', message('x'.repeat(size)));
    await bare.gone;
    expect(await stored()).toBe(before);
  },
);

it('[abuse 54] takes a message of 64 KiB, and refuses one byte more in words', async () => {
  const bare = await adaAgain();
  expect((await bare.ask('message.send', message('x'.repeat(65_536)))).ok).toBe(true);
  const { error } = await bare.ask('message.send', message('x'.repeat(65_537)));
  expect(error?.code).toBe('too_large');
  bare.socket.disconnect();
});

it('[abuse 55] judges again at the append: what is sent after a removal is refused', async () => {
  const cid = await newDevice({ url: platform.url }, { name: 'Cid' });
  await cid.client.connect();
  const members = [cid.client.userId];
  const group = await ada.client.startGroup({ name: 'Short', members });
  const id = group.conversationId;
  await cid.client.send(id, 'still here');
  const removing = ada.client.removeMember(id, cid.client.userId);
  const sending = Array.from({ length: 5 }, (_, at) => cid.client.send(id, `in flight ${at}`));
  const { data } = await removing;
  const outcomes = await Promise.allSettled(sending);
  const removedAt = Number(data['seq']);
  // Each was either in before the removal, or refused.
  const verdicts = outcomes.map((outcome) =>
    outcome.status === 'fulfilled'
      ? outcome.value.seq < removedAt
      : outcome.reason instanceof ScriptaError && outcome.reason.code === 'not_found',
  );
  expect(verdicts).toEqual([true, true, true, true, true]);
  await expect(cid.client.send(id, 'too late')).rejects.toMatchObject({ code: 'not_found' });
  const facts = await store.read(`conversation-${id}`, removedAt + 1);
  expect(facts).toEqual([]);
  await cid.client.close();
});

it('[abuse 56] does not inflate', async () => {
  const socket = rawSocket(url, '', { perMessageDeflate: true });
  await once(socket, 'open');
  expect(socket.extensions).toBe('');
  socket.terminate();
  const bomb = rawSocket(url, '', { perMessageDeflate: false });
  const [, request] = await Promise.all([
    once(bomb, 'open'),
    new Promise<{ write: (bytes: Buffer) => void }>((resolve) => {
      bomb.once('upgrade', (response) => resolve(response.socket));
    }),
  ]);
  // A final text frame with RSV1 set, which says that it is compressed.
  request.write(Buffer.concat([Buffer.from([0xc1, 0x84]), randomBytes(4), randomBytes(4)]));
  await closed(bomb);
});

it('[abuse 39] answers 429 to an address that connects a thousand times at once', async () => {
  // As a proxy on this machine would say it, so that the other tests' address is not the one.
  const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' };
  const statuses: number[] = [];
  for (let at = 0; at < 1_000; at += 50) {
    const sockets = Array.from({ length: 50 }, () => rawSocket(url, '', { headers }));
    statuses.push(...(await Promise.all(sockets.map(upgradeStatus))));
  }
  expect(new Set(statuses)).toEqual(new Set([101, 429]));
  const forged = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' };
  expect(await upgradeStatus(rawSocket(url, '', { headers: forged }))).toBe(101);
});
