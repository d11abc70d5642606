import 'reflect-metadata';
import { connect } from 'node:net';
import type { Express } from 'express';
import { expect } from 'vitest';
import type { Ports } from '#commands';
import { FaultyStore, memoryPorts } from '#testing';
import { MemoryCodeSender } from '#platform';
import { createHttpApp, type Patience } from '../../apps/command-api/src/http.js';

/** Streams of everything that a request could store. */
const ALL = ['conversation-', 'audience-', 'receipts-', 'user-', 'claim-', 'own-', 'snapshot-'];

/** Someone who is logged in. */
export type Person = Readonly<{
  userId: string;
  deviceId: string;
  accessToken: string;
  phone: string;
}>;

/** What answers hold, as far as tests look into them by name. */
export type Body = Readonly<{
  code?: string;
  detail?: string;
  instance?: string;
  requestId?: string;
  conversationId?: string;
  messageId?: string;
  userId?: string;
  deviceId?: string;
  accessToken?: string;
  registered?: boolean;
  position?: string;
  name?: string;
  seq?: number;
  at?: string;
  cursor?: string;
  items?: readonly Readonly<{
    conversationId?: string;
    seq?: number;
    at?: string;
    type?: string;
    userId?: string;
    role?: string;
    token?: string;
    inviteId?: string;
    unread?: number;
    read?: unknown;
    data?: Readonly<Record<string, unknown>>;
  }>[];
  servers?: unknown;
  paths?: Readonly<Record<string, object>>;
}>;

/** An answer with its JSON. */
export type Answer = Readonly<{ status: number; headers: Headers; body: Body; text: string }>;

// What a test reads by name, it asserts.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const bodyOf = (text: string): Body => JSON.parse(text) as Body;

type Sending = Readonly<{
  by?: Person;
  headers?: Readonly<Record<string, string>>;
  json?: unknown;
  raw?: string | Uint8Array<ArrayBuffer>;
}>;

/** The REST door, running, with its log in memory. */
export type Door = Awaited<ReturnType<typeof openDoor>>;

/** Starts the REST door on a port of its own. */
export const openDoor = async (
  settings: Readonly<Record<string, string>> = {},
  patience?: Patience,
  own: Partial<Ports> = {},
) => {
  const memory = memoryPorts(settings, own);
  // Views read the log itself, as the projector does; what the door does goes through `log`.
  const log = new FaultyStore(memory.store);
  const ports = { ...memory, ...own, store: log };
  const sender = new MemoryCodeSender();
  const app = await createHttpApp(ports, sender, patience);
  await app.listen(0, '127.0.0.1');
  const port = Number(new URL(await app.getUrl()).port);
  const url = `http://127.0.0.1:${port}`;
  let phones = 0;

  const send = async (
    method: string,
    path: string,
    { by, headers, json, raw }: Sending = {},
  ): Promise<Answer> => {
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(by ? { authorization: `Bearer ${by.accessToken}` } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
    return {
      status: answer.status,
      headers: answer.headers,
      body: isJson ? bodyOf(text) : {},
      text,
    };
  };

  const stored = async (): Promise<number> =>
    (await ports.store.readAll(ALL, undefined, 1_000_000)).length;

  return {
    app,
    log,
    views: memory.views,
    port,
    ports,
    sender,
    url,
    send,
    stored,

    /** Registers somebody new, by a number of their own. */
    person: async (name = 'Ada'): Promise<Person> => {
      phones += 1;
      const phone = `+4915112${String(phones).padStart(6, '0')}`;
      const asked = await send('POST', '/v1/auth/codes', { json: { phone } });
      const code = sender.sent.get(phone);
      const device = { name: 'phone', platform: 'web' };
      const json = { requestId: asked.body.requestId, code, name, device };
      const { body } = await send('POST', '/v1/auth/tokens', { json });
      const { userId = '', deviceId = '', accessToken = '' } = body;
      return { userId, deviceId, accessToken, phone };
    },

    /** Bytes as they are, on a connection of their own; what came back until it was closed. */
    bytes: (text: string, linger = 1_500): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text));
        const timer = setTimeout(() => socket.destroy(), linger);
        let answer = '';
        socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
        socket.on('error', reject);
        socket.on('close', () => {
          clearTimeout(timer);
          resolve(answer);
        });
      }),

    /** The request is refused so, says why, shows nothing of us, stores nothing, harms nothing. */
    refuses: async (
      asking: () => Promise<Answer>,
      status: number,
      code: string,
    ): Promise<Answer> => {
      const before = await stored();
      const answer = await asking();
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body).toMatchObject({ status, title: code.replaceAll('_', ' ') });
      expect(answer.body.detail?.length).toBeGreaterThan(5);
      expect(answer.text).not.toMatch(/node_modules|\.ts:\d|\.js:\d|at \w+ \(/);
      expect(await stored()).toBe(before);
      expect((await send('GET', '/livez')).status).toBe(200);
      return answer;
    },

    /** Every route that the server has, as its description writes them. */
    routes: (): readonly string[] => {
      const instance: Express = app.getHttpAdapter().getInstance();
      const { stack } = instance.router;
      return stack.flatMap(({ route }) =>
        Object.entries(route?.stack ?? []).flatMap(([, { method }]) =>
          method ? [`${method.toUpperCase()} ${route?.path.replaceAll(/:(\w+)/g, '{$1}')}`] : [],
        ),
      );
    },

    close: () => app.close(),
  };
};
