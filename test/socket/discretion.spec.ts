import { afterAll, beforeAll, expect, it } from 'vitest';
import { Scripta } from '#client';
import {
  newPerson,
  newPhone,
  PROCESSES,
  startPlatform,
  TEST_PHONES,
  until,
  type Platform,
} from '#testing';
import { bareClient, refusalOf } from './wire.js';

let platform: Platform;
beforeAll(async () => {
  // All that a process may ever say.
  platform = await startPlatform({ env: { LOG_LEVEL: 'debug' }, audited: true });
}, 60_000);
afterAll(() => platform.stop());

const post = async (path: string, json: object, token?: string): Promise<Response> =>
  fetch(`${platform.url.rest}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(json),
  });

it('[abuse 79] no code, token, phone number or text is in any line that a process prints', async () => {
  const phone = newPhone();
  const secrets = [phone, phone.slice(1), TEST_PHONES.code, 'a very private word'];
  const client = new Scripta({ url: platform.url });
  const { requestId } = await client.requestCode(phone);
  await post('/v1/auth/tokens', {
    requestId,
    code: '987654',
    device: { name: 'x', platform: 'x' },
  });
  const tokens = await client.login({ requestId, code: TEST_PHONES.code, name: 'Ada' });
  secrets.push(tokens.accessToken, tokens.refreshToken, '987654');
  await client.connect();
  const ben = await newPerson({ url: platform.url });
  const { conversationId } = await client.startDirect(ben.client.userId);
  await client.send(conversationId, 'a very private word');
  await until(() => ben.facts.length > 0);
  // What goes wrong is where secrets slip out.
  await post('/v1/auth/refresh', { refreshToken: tokens.refreshToken, deviceId: conversationId });
  await post('/v1/auth/codes', { phone: `${phone} ext. 5` });
  await post('/v1/conversations', { phone }, `${tokens.accessToken}x`);
  await post(
    '/v1/conversations',
    { kind: 'group', name: 'a very private word'.repeat(50) },
    tokens.accessToken,
  );
  await refusalOf(
    bareClient(platform.url.socket, { token: `${tokens.accessToken}x`, protocol: 1 }),
  );
  await platform.kill('document-store');
  await client.send(conversationId, 'a very private word').catch(() => undefined);
  await post('/v1/auth/codes', { phone });
  await platform.start('document-store');
  await until(() => platform.log('projector').length > 0);
  const said = PROCESSES.map((name) => platform.log(name)).join('\n');
  expect(said.length).toBeGreaterThan(500);
  // Digits may be part of a longer number.
  const found = secrets.filter((secret) =>
    new RegExp(`(?<!\\d)${secret.replaceAll(/[+.]/gu, String.raw`\$&`)}(?!\\d)`, 'u').test(said),
  );
  expect(found).toEqual([]);
  await Promise.all([client.close(), ben.client.close()]);
}, 60_000);
