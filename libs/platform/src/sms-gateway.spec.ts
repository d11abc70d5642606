import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock, SystemRandom } from './clock.js';
import { readConfig } from './config.js';
import { HttpSmsSender, smsSettingsOf } from './sms-gateway.js';

type Request = Readonly<{ headers: IncomingHttpHeaders; body: string }>;

let server: Server;
let url: string;
let requests: Request[];
let answers: number[];

beforeEach(async () => {
  requests = [];
  answers = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      requests.push({ headers: request.headers, body });
      const status = answers.shift() ?? 200;
      // Without an answer at all.
      if (status === 0) response.destroy();
      else response.writeHead(status).end('{}');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/messages`;
});
afterEach(
  () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
);

const sender = (settings: Readonly<Record<string, string>> = {}): HttpSmsSender => {
  const config = readConfig({ SMS_URL: url, ...settings });
  const read = smsSettingsOf(config);
  if (!read) throw new Error('No gateway is set.');
  return new HttpSmsSender(read, { clock: new SystemClock(), random: new SystemRandom() });
};

it('[A3] posts the message as the gateway wants it, with its key and a signature', async () => {
  await sender({
    SMS_BODY: '{"messages":[{"destination":"{to}","content":"{text}","ref":"{id}"}],"v":1}',
    SMS_TEXT: 'Your “Scripta” code: {code}',
    SMS_SECRET: 'whsec',
    SMS_AUTHORIZATION: 'App 42',
  }).send('+493012345678', '012345');
  const [{ headers, body } = { headers: {}, body: '' }] = requests;
  expect(JSON.parse(body)).toMatchObject({
    messages: [{ destination: '+493012345678', content: 'Your “Scripta” code: 012345' }],
  });
  expect(headers['authorization']).toBe('App 42');
  const [, t, v1] = /^t=(\d+),v1=(.+)$/u.exec(String(headers['x-scripta-signature'])) ?? [];
  expect(v1).toBe(createHmac('sha256', 'whsec').update(`${t}.${body}`).digest('hex'));
});

it('[A3] tries again what may pass, always under the same id', async () => {
  answers = [503, 0, 200];
  await sender().send('+493012345678', '012345');
  expect(requests).toHaveLength(3);
  expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
});

it('[A3] does not try again what the gateway refuses', async () => {
  answers = [400];
  await expect(sender().send('+493012345678', '1')).rejects.toMatchObject({ code: 'unavailable' });
  expect(requests).toHaveLength(1);
});

it('[A3] [abuse 75] sends to no country that is not allowed', async () => {
  const one = sender({ SMS_COUNTRIES: 'de, at' });
  await one.send('+493012345678', '1');
  await expect(one.send('+442071838750', '1')).rejects.toMatchObject({ code: 'forbidden' });
  expect(requests).toHaveLength(1);
});

it('[A3] leaves a gateway alone for a while that failed again and again', async () => {
  answers = Array.from({ length: 100 }, () => 500);
  const one = sender();
  for (let at = 0; at < 5; at += 1)
    await expect(one.send('+493012345678', '1')).rejects.toMatchObject({ code: 'unavailable' });
  const tried = requests.length;
  await expect(one.send('+493012345678', '1')).rejects.toMatchObject({
    code: 'unavailable',
    details: { retryAfterMs: 30_000 },
  });
  expect(requests).toHaveLength(tried);
}, 30_000);

it('[A3] refuses a template that is no JSON at the start', () => {
  expect(() => smsSettingsOf(readConfig({ SMS_URL: url, SMS_BODY: 'to={to}' }))).toThrow(
    /SMS_BODY/,
  );
});
