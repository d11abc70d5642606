import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Answer, type Door, type Person } from './door.js';

let door: Door;
let ada: Person;
let ben: Person;
let eve: Person;
let group: string;

beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' });
  [ada, ben, eve] = [await door.person('Ada'), await door.person('Ben'), await door.person('Eve')];
  const json = { kind: 'group', name: 'Choir', members: [ben.userId] };
  group = String(
    (await door.send('POST', '/v1/conversations', { by: ada, json })).body.conversationId,
  );
});
afterAll(() => door.close());

const messages = () => `/v1/conversations/${group}/messages`;
const sending = (json: unknown, by = ada) => door.send('POST', messages(), { by, json });
const raw = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  door.send('POST', messages(), { by: ada, raw: body, headers });
const expectRefused = (asking: () => Promise<Answer>, status: number, code: string) =>
  door.refuses(asking, status, code);
const keyed = (key: string, text: string, by = ada) =>
  door.send('POST', messages(), { by, json: { text }, headers: { 'idempotency-key': key } });

const line = (method: string, path = '/v1/me') =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Canary: c4n4ry\r\n\r\n`;
const routes = (conversationId: string): readonly [string, string, unknown?][] => [
  ['GET', `/v1/conversations/${conversationId}`],
  ['PATCH', `/v1/conversations/${conversationId}`, { name: 'Mine' }],
  ['GET', `/v1/conversations/${conversationId}/members`],
  ['POST', `/v1/conversations/${conversationId}/members`, { members: [eve.userId] }],
  ['DELETE', `/v1/conversations/${conversationId}/members/${ben.userId}`],
  ['POST', `/v1/conversations/${conversationId}/leave`, {}],
  ['POST', `/v1/conversations/${conversationId}/follow`, {}],
  ['DELETE', `/v1/conversations/${conversationId}/follow`],
  ['GET', `/v1/conversations/${conversationId}/messages`],
  ['POST', `/v1/conversations/${conversationId}/messages`, { text: 'Hi' }],
  ['GET', `/v1/conversations/${conversationId}/messages/${randomUUID()}/receipts`],
  ['POST', `/v1/conversations/${conversationId}/marks`, { kind: 'read', seq: 0 }],
];
const shown = ({ body }: Answer): unknown => ({ ...body, instance: '' });
const lastText = async (): Promise<unknown> => {
  const { body } = await door.send('GET', `${messages()}?limit=1`, { by: ada });
  return body.items?.at(-1)?.data?.['text'];
};

describe('the body', () => {
  it.each(['{', '{"text":"Hi"', 'text=Hi', '', 'nul', '{"text":"Hi"} {}', '\u00ef\u00bb\u00bf'])(
    '[abuse 1] that is not JSON is refused: %s',
    async (body) => {
      await expectRefused(() => raw(body), 400, 'bad_request');
    },
  );

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-7',
    'application/json; charset=utf-16',
    'application/json5',
    'application/problem+json',
  ])('[abuse 2] of another content type is refused: %s', async (type) => {
    const asking = () => raw('{"text":"Hi"}', { 'content-type': type });
    await expectRefused(asking, 415, 'unsupported_media_type');
  });

  it.each([
    '{"text":"one","text":"two"}',
    '{"text":"one","te\\u0078t":"two"}',
    '{"a":{"b":1,"b":2},"text":"x"}',
  ])('[abuse 3] that names a key twice is refused: %s', async (body) => {
    const { body: problem } = await expectRefused(() => raw(body), 400, 'bad_request');
    expect(problem.detail).toContain('twice');
  });

  it('[abuse 3] with colons and quotes inside its strings names no key twice', async () => {
    const text = '"text": "a", "text": \\"b\\": {';
    expect((await sending({ text })).status).toBe(201);
    expect(await lastText()).toBe(text);
  });

  it('[abuse 4] that is too deep or has too many keys is refused', async () => {
    const deep = `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`;
    const veryDeep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    const wide = JSON.stringify(
      Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`k${index}`, index])),
    );
    for (const body of [deep, veryDeep, wide])
      await expectRefused(() => raw(body), 400, 'bad_request');
  });

  it('[abuse 5] that is too long is refused, and the connection ends', async () => {
    const body = JSON.stringify({ text: 'x'.repeat(262_144) });
    const answer = await expectRefused(() => raw(body), 413, 'too_large');
    expect(answer.headers.get('connection')).toBe('close');
  });

  it('[abuse 5] that is too long without saying so is cut off', async () => {
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    const before = await door.stored();
    const answer = await door.bytes(
      `POST ${messages()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.accessToken}\r\n` +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n' +
        `${chunk.repeat(20)}0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"too_large"');
    expect(await door.stored()).toBe(before);
  });

  it('[abuse 6] that unpacks to too much is refused', async () => {
    const bomb = new Uint8Array(gzipSync(`{"text":"${'x'.repeat(50_000_000)}"}`));
    expect(bomb.length).toBeLessThan(262_144);
    const asking = () => raw(bomb, { 'content-encoding': 'gzip' });
    await expectRefused(asking, 413, 'too_large');
    await expectRefused(
      () => raw(new Uint8Array([1, 2, 3]), { 'content-encoding': 'gzip' }),
      400,
      'bad_request',
    );
    await expectRefused(
      () => raw('{}', { 'content-encoding': 'zstd' }),
      415,
      'unsupported_media_type',
    );
  });

  it('[abuse 6] that was packed honestly is taken', async () => {
    const packed = new Uint8Array(gzipSync('{"text":"packed"}'));
    expect((await raw(packed, { 'content-encoding': 'gzip' })).status).toBe(201);
  });

  it('[abuse 7] with a field that is not known is refused', async () => {
    await expectRefused(() => sending({ text: 'Hi', isAdmin: true }), 400, 'bad_request');
    const start = { kind: 'group', name: 'x', members: [], role: 'owner' };
    const asking = () => door.send('POST', '/v1/conversations', { by: eve, json: start });
    await expectRefused(asking, 400, 'bad_request');
  });

  it.each([
    '{"text":"Hi","__proto__":{"isAdmin":true}}',
    '{"text":"Hi","constructor":{"prototype":{"isAdmin":true}}}',
    '{"__proto__":{"text":"Hi"}}',
    '{"text":"Hi","a":{"prototype":1}}',
  ])('[abuse 8] that reaches for a prototype is refused: %s', async (body) => {
    await expectRefused(() => raw(body), 400, 'bad_request');
    expect(Reflect.get({}, 'isAdmin')).toBeUndefined();
  });

  it.each(['"1"', 'NaN', '1e999', '-1e999', '-0', '9007199254740993', '1.5', '-1', 'null', '[1]'])(
    '[abuse 9] with %s for a number is refused',
    async (number) => {
      const path = `/v1/conversations/${group}/marks`;
      const body = `{"kind":"read","seq":${number}}`;
      await expectRefused(
        () => door.send('POST', path, { by: ada, raw: body }),
        400,
        'bad_request',
      );
    },
  );

  it('[abuse 10] with an array for a text, or a field twice in the query, is refused', async () => {
    await expectRefused(() => sending({ text: ['a', 'b'] }), 400, 'bad_request');
    await expectRefused(() => sending({ text: { $ne: null } }), 400, 'bad_request');
    for (const query of [
      'limit=1&limit=2',
      'limit[]=1',
      'limit[$gt]=1',
      'before=1&before=2',
      'x=1',
    ])
      await expectRefused(
        () => door.send('GET', `${messages()}?${query}`, { by: ada }),
        400,
        'bad_request',
      );
  });
});

describe('text', () => {
  it('[abuse 11] with NUL, half a surrogate pair or overlong UTF-8 is refused', async () => {
    const overlong = new Uint8Array([
      ...Buffer.from('{"text":"'),
      0xc0,
      0xaf,
      ...Buffer.from('"}'),
    ]);
    const latin1 = new Uint8Array(Buffer.from('{"text":"Grüße"}', 'latin1'));
    for (const body of ['{"text":"a\\u0000b"}', '{"text":"\\ud83d"}', overlong, latin1])
      await expectRefused(() => raw(body), 400, 'bad_request');
  });

  it('[abuse 11] is kept as it was sent', async () => {
    const text = 'שלום \u202eabc\u202c e\u0301 👩‍👩‍👧‍👦 <b>&amp;</b> \t\n end ';
    expect((await sending({ text })).status).toBe(201);
    expect(await lastText()).toBe(text);
  });

  it('[abuse 11] of a name loses what deceives the eye', async () => {
    const name = '\u202eadA\u202c \u200bLove\u2066lace\u0007';
    await door.send('PATCH', '/v1/me', { by: eve, json: { name } });
    expect((await door.send('GET', '/v1/me', { by: eve })).body.name).toBe('adA Lovelace');
    const hollow = () => door.send('PATCH', '/v1/me', { by: eve, json: { name: '\u200b\u202e' } });
    await expectRefused(hollow, 422, 'invalid');
  });

  it.each(['', ' ', '\n\t ', '\u200b', '\u3164', '\u00a0\u2028'])(
    '[abuse 12] that is blank is refused: %j',
    async (text) => {
      await expectRefused(() => sending({ text }), 422, 'invalid');
    },
  );

  it('[abuse 13] is limited by its bytes', async () => {
    await expectRefused(() => sending({ text: 'x'.repeat(65_537) }), 413, 'too_large');
    await expectRefused(() => sending({ text: '€'.repeat(21_846) }), 413, 'too_large');
    expect((await sending({ text: '€'.repeat(21_845) })).status).toBe(201);
  });
});

describe('what is not one’s own', () => {
  it('[abuse 14] cannot be spoken in', async () => {
    await expectRefused(() => sending({ text: 'Hi' }, eve), 404, 'not_found');
  });

  it('[abuse 15] is not there: the same answer as for what never was', async () => {
    const absent = routes(randomUUID());
    for (const [index, [method, path, json]] of routes(group).entries()) {
      const asking = () => door.send(method, path, { by: eve, json });
      const forbidden = await expectRefused(asking, 404, 'not_found');
      const [, otherPath = ''] = absent[index] ?? [];
      const missing = await door.send(method, otherPath, { by: eve, json });
      expect(shown(forbidden)).toEqual(shown(missing));
    }
    await expectRefused(() => door.send('GET', '/v1/conversations'), 401, 'unauthorized');
  });

  it('[abuse 16] cannot be claimed in a body', async () => {
    const claims = {
      senderId: ben.userId,
      createdAt: '2020-01-01T00:00:00Z',
      seq: 1,
      tenantId: 'x',
    };
    for (const [field, value] of Object.entries(claims))
      await expectRefused(() => sending({ text: 'Hi', [field]: value }), 400, 'bad_request');
    const { by } = { by: ada };
    const json = { name: 'Ben', userId: ben.userId };
    await expectRefused(() => door.send('PATCH', '/v1/me', { by, json }), 400, 'bad_request');
  });
});

const startingByKey = (name: string) =>
  door.send('POST', '/v1/conversations', {
    by: eve,
    json: { kind: 'group', name, members: [] },
    headers: { 'idempotency-key': 'start-1' },
  });
describe('an Idempotency-Key', () => {
  it('[abuse 17] gives the first answer again, and refuses another body', async () => {
    const first = await keyed('order-1', 'Hello');
    const again = await keyed('order-1', 'Hello');
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual(first.body);
    await expectRefused(() => keyed('order-1', 'Good bye'), 409, 'id_reused');
  });

  it('[abuse 17] of a conversation finds the conversation that it started', async () => {
    const [first, again] = [await startingByKey('Band'), await startingByKey('Band')];
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body.conversationId).toBe(first.body.conversationId);
    await expectRefused(() => startingByKey('Other'), 409, 'id_reused');
  });

  it('[abuse 18] of another person is another key', async () => {
    const [hers, his] = [await keyed('same', 'Mine', ada), await keyed('same', 'Mine too', ben)];
    expect([hers.status, his.status]).toEqual([201, 201]);
    expect(his.body.messageId).not.toBe(hers.body.messageId);
  });

  it.each(['x'.repeat(129), 'with space', 'sl/ash', 'quote"', 'ä'])(
    '[abuse 19] that is too long or not URL-safe is refused: %s',
    async (key) => {
      await expectRefused(() => keyed(key, 'Hi'), 400, 'bad_request');
    },
  );
});

describe('the protocol', () => {
  it('[abuse 23] does not believe X-Forwarded-For', async () => {
    const limited = await openDoor();
    const asking = (from: string) =>
      limited.send('POST', '/v1/auth/codes', {
        json: { phone: '+4915199999999' },
        headers: { 'x-forwarded-for': from, forwarded: `for=${from}` },
      });
    expect((await asking('10.0.0.1')).status).toBe(202);
    const answer = await limited.refuses(() => asking('10.0.0.2'), 429, 'rate_limited');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    await limited.close();
  });

  it('[abuse 24] knows no TRACE and no method that is not there', async () => {
    for (const method of ['TRACE', 'PROPFIND', 'BREW']) {
      const answer = await door.bytes(line(method));
      expect(answer).toMatch(/^HTTP\/1\.1 405 /);
      expect(answer).not.toContain('c4n4ry');
    }
    const answer = await expectRefused(
      () => door.send('PUT', '/v1/conversations', { by: ada, json: {} }),
      405,
      'method_not_allowed',
    );
    expect(answer.headers.get('allow')?.split(', ').toSorted()).toEqual(['GET', 'POST']);
  });

  it('[abuse 24] does not let a header override the method', async () => {
    const headers = { 'x-http-method-override': 'DELETE', 'x-http-method': 'DELETE' };
    const path = `/v1/conversations/${group}/members/${ben.userId}`;
    const asking = () => door.send('POST', path, { by: ada, json: {}, headers });
    await expectRefused(asking, 405, 'method_not_allowed');
    const query = () => door.send('POST', `${path}?_method=DELETE`, { by: ada, json: {} });
    await expectRefused(query, 405, 'method_not_allowed');
  });

  it('[abuse 25] puts nothing of Host into an answer', async () => {
    for (const path of ['/docs-json', '/docs', '/v1/me', '/nowhere']) {
      const answer = await door.bytes(
        `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n` +
          'Connection: close\r\n\r\n',
      );
      expect(answer).toMatch(/^HTTP\/1\.1 \d{3} /);
      expect(answer).not.toContain('evil.example');
    }
    expect((await door.send('GET', '/docs-json')).body.servers).toEqual([
      { url: door.ports.config.PUBLIC_URL },
    ]);
  });

  it('[abuse 26] ends the connection of smuggled requests and broken headers', async () => {
    const before = await door.stored();
    const smuggled =
      `POST ${messages()} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
      'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
    const twoLengths =
      'GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n';
    const bareReturn = 'GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\rc: d\r\n\r\n';
    const nul = 'GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n';
    const folded = 'GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n';
    const noHost = 'GET /livez HTTP/1.1\r\n\r\n';
    for (const request of [smuggled, twoLengths, bareReturn, nul, folded, noHost]) {
      const answer = await door.bytes(request);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    }
    expect(await door.stored()).toBe(before);
    const long = await door.bytes(
      `GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
    );
    expect(long).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('[abuse 26] lets no header of an answer be written by a caller', async () => {
    const name = 'a\r\nSet-Cookie: evil=1';
    const answer = await door.send('PATCH', '/v1/me', { by: eve, json: { name } });
    expect(answer.headers.get('set-cookie')).toBeNull();
    const key = await door.bytes(
      `POST ${messages()} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a%0d%0aSet-Cookie:x\r\n` +
        `Authorization: Bearer ${ada.accessToken}\r\nContent-Type: application/json\r\n` +
        'Content-Length: 13\r\nConnection: close\r\n\r\n{"text":"Hi"}',
    );
    expect(key).toMatch(/^HTTP\/1\.1 400 /);
    expect(key.toLowerCase()).not.toContain('set-cookie');
  });

  it('[abuse 27] finds nothing by tricks in the path', async () => {
    const paths = [
      '/v1/..;/livez',
      '/v1/%2e%2e/livez',
      '//livez',
      '/v1//me',
      '/v1/./me',
      '/v1/../livez',
      '/docs/..%2f..%2fpackage.json',
      '/docs/../../package.json',
      '/docs/%2e%2e/%2e%2e/package.json',
      '/v1/me%00',
      '/v1/me/',
      '/V1/me',
      '\\v1\\me',
      '/v1/conversations/%zz',
    ];
    for (const path of paths) {
      const answer = await door.bytes(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.accessToken}\r\n` +
          'Connection: close\r\n\r\n',
      );
      expect([path, answer.slice(9, 12)]).toEqual([
        path,
        expect.stringMatching(/^40[04]$/) as unknown,
      ]);
      expect(answer).not.toContain('"dependencies"');
    }
  });

  it('[abuse 28] takes no more ids than it says', async () => {
    const people = Array.from({ length: 10_000 }, () => ada.userId.slice(0, 8));
    const path = `/v1/conversations/${group}/members`;
    const adding = (members: readonly string[]) => () =>
      door.send('POST', path, { by: ada, json: { members } });
    await expectRefused(adding(people), 400, 'bad_request');
    await expectRefused(
      adding(Array.from({ length: 201 }, () => randomUUID())),
      400,
      'bad_request',
    );
    const members = Array.from({ length: 1_001 }, () => randomUUID());
    const json = { kind: 'group', name: 'All', members };
    const starting = () => door.send('POST', '/v1/conversations', { by: ada, json });
    await expectRefused(starting, 400, 'bad_request');
    for (const limit of ['101', '0', '-1', '1e9', '1.5', 'all'])
      await expectRefused(
        () => door.send('GET', `${messages()}?limit=${limit}`, { by: ada }),
        400,
        'bad_request',
      );
  });

  it('[abuse 29] does not wait for a slow request for ever', async () => {
    const hasty = await openDoor({}, { headersMs: 300, requestMs: 600, checkMs: 50 });
    const before = await hasty.stored();
    const headers = await hasty.bytes('POST /v1/auth/codes HTTP/1.1\r\nHost: x\r\n', 5_000);
    const body = await hasty.bytes(
      'POST /v1/auth/codes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
        'Content-Length: 100\r\n\r\n{"pho',
      5_000,
    );
    for (const answer of [headers, body]) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(await hasty.stored()).toBe(before);
    expect((await hasty.send('GET', '/livez')).status).toBe(200);
    await hasty.close();
  });

  it('[abuse 30] has no route that its description does not have', async () => {
    const { paths = {} } = (await door.send('GET', '/docs-json')).body;
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routed = door.routes();
    const api = routed.filter((route) => !/ \/(docs|asyncapi)(-json|\.json|\/|$)/.test(route));
    expect(api.toSorted()).toEqual(described.toSorted());
    expect(api.length).toBeGreaterThan(20);
    await expectRefused(() => door.send('GET', '/v0/me', { by: ada }), 404, 'not_found');
  });
});
