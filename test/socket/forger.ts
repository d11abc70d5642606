import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { Fact } from '#client';

/** What a man in the middle makes of the facts that go by, wherever they come from. */
export type Tamper = (facts: readonly Fact[]) => readonly Fact[];

const honest: Tamper = (facts) => facts;

/** A man in the middle, between a client and both doors; honest until told otherwise. */
export type Forger = Readonly<{
  url: Readonly<{ rest: string; socket: string }>;
  tamper: (how: Tamper | undefined) => void;
  close: () => Promise<void>;
}>;

type Frame = readonly [name: string, argument: Record<string, unknown>];

const isFact = (argument: unknown): argument is Fact =>
  typeof argument === 'object' && argument !== null && 'seq' in argument && 'actor' in argument;

/** What becomes of a frame: several of them, or none. */
const forged = (text: string, how: Tamper): string[] => {
  const at = text.indexOf('[');
  if (!/^4[23]/u.test(text) || at < 0) return [text];
  const head = text.slice(0, at);
  // Packets are as Socket.IO has them, and what is in them is as the protocol says.
  // oxlint-disable typescript/no-unsafe-type-assertion
  if (head.startsWith('42')) {
    const [name, fact] = JSON.parse(text.slice(at)) as Frame;
    if (!isFact(fact)) return [text];
    return how([fact]).map((one) => `${head}${JSON.stringify([name, one])}`);
  }
  const [answer] = JSON.parse(text.slice(at)) as [{ data?: { facts?: Fact[] } }];
  if (answer.data?.facts) answer.data.facts = [...how(answer.data.facts)];
  return [`${head}${JSON.stringify([answer])}`];
  // oxlint-enable typescript/no-unsafe-type-assertion
};

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
};

/** Answers a request as the REST door does, but for the facts in it. */
const relay = async (
  to: string,
  request: IncomingMessage,
  response: ServerResponse,
  how: Tamper,
): Promise<void> => {
  const { method = 'GET', url = '/', headers } = request;
  const body = await bodyOf(request);
  const answer = await fetch(`${to}${url}`, {
    method,
    headers: {
      authorization: headers.authorization ?? '',
      ...(body === '' ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === '' ? {} : { body }),
  });
  const text = await answer.text();
  response.writeHead(answer.status, { 'content-type': 'application/json' });
  if (!answer.ok || !url.includes('/messages?')) response.end(text);
  else {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const page = JSON.parse(text) as { items: Fact[] };
    response.end(JSON.stringify({ ...page, items: how(page.items) }));
  }
};

/** Stands between a client and the platform. */
export const startForger = async (
  platform: Readonly<{ rest: string; socket: string }>,
): Promise<Forger> => {
  let how = honest;
  const server = createServer((request, response) => {
    relay(platform.rest, request, response, (facts) => how(facts)).catch(() => response.destroy());
  });
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on('connection', (near, { url = '/' }) => {
    const far = new WebSocket(`${platform.socket.replace('http', 'ws')}${url}`);
    const opened = once(far, 'open');
    near.on('message', (bytes: Buffer) => void opened.then(() => far.send(bytes.toString())));
    near.on('close', () => far.terminate());
    far.on('message', (bytes: Buffer) => {
      for (const text of forged(bytes.toString(), how)) near.send(text);
    });
    far.on('close', () => near.close());
    far.on('error', () => near.terminate());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on TCP has an address with a port.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: { rest: url, socket: url },
    tamper: (next) => {
      how = next ?? honest;
    },
    close: async () => {
      for (const near of sockets.clients) near.terminate();
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
