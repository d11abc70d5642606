import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createProxyServer } from 'httpxy';

/** Where requests go, by what their path begins with; the first that fits. */
export type Route = Readonly<{ path: string; part: string }>;

/** A part that the public port speaks for. */
export type Part = Readonly<{
  /** Its address, once it has one. */
  url: () => string | undefined;
  /** Whether it is ready, in its own words. */
  isReady: () => Promise<boolean>;
}>;

/** The one public port: REST, socket and documentation behind one address. */
export type Proxy = Readonly<{ port: number; close: () => Promise<void> }>;

/** Seconds after which a client may try again while a part is being started. */
const RETRY_AFTER_S = 1;
/** A part that has not answered by then (ms) is taken for down: several times any own deadline. */
const ANSWER_MS_MAX = 30_000;
/** The same for the answer to an upgrade, which waits for nothing but the socket door. */
const UPGRADE_MS_MAX = 10_000;
/** A request's headers, and all of it, have to have come by then (ms). */
const HEADERS_MS_MAX = 10_000;
const REQUEST_MS_MAX = 30_000;

type Problem = Readonly<{ status: number; code: string; detail: string }>;

const UNAVAILABLE: Problem = {
  status: 503,
  code: 'unavailable',
  detail: 'This part is being started, or was cut off; try again, with the same Idempotency-Key.',
};
const NOT_FOUND: Problem = {
  status: 404,
  code: 'not_found',
  detail: 'Nothing is here; the API is documented at /docs.',
};

const answerOf = (problem: Problem): { headers: Record<string, string>; body: string } => {
  const title = STATUS_CODES[problem.status];
  const body = JSON.stringify({ type: 'about:blank', title, ...problem });
  const headers = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    ...(problem.status === 503 ? { 'retry-after': String(RETRY_AFTER_S) } : {}),
  };
  return { headers, body };
};

const refuse = (response: ServerResponse, problem: Problem): void => {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { headers, body } = answerOf(problem);
  response.writeHead(problem.status, headers).end(body);
};

const refuseUpgrade = (socket: Socket, problem: Problem): void => {
  const { headers, body } = answerOf(problem);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n`;
  socket.end(`${status}${lines.join('')}\r\n${body}`);
};

/** What limits by address go by is this proxy's word, which comes last. */
const sayFrom = ({ headers, socket }: IncomingMessage): void => {
  const before = headers['x-forwarded-for'];
  const seen = socket.remoteAddress ?? '';
  headers['x-forwarded-for'] = before === undefined ? seen : `${String(before)}, ${seen}`;
};

const ready = async (
  response: ServerResponse,
  parts: Readonly<Record<string, Part>>,
): Promise<void> => {
  const states = await Promise.all(
    Object.entries(parts).map(async ([name, part]) => [name, await part.isReady()] as const),
  );
  const isReady = states.every(([, open]) => open);
  response.writeHead(isReady ? 200 : 503, {
    'content-type': 'application/json',
    ...(isReady ? {} : { 'retry-after': String(RETRY_AFTER_S) }),
  });
  const shown = Object.fromEntries(states.map(([name, open]) => [name, open ? 'ready' : 'down']));
  response.end(JSON.stringify({ status: isReady ? 'ready' : 'down', ...shown }));
};

/** A proxy that answers 503 on an upgrade that failed, as it does on a request. */
const proxyServer = () => {
  const proxy = createProxyServer({ proxyTimeout: ANSWER_MS_MAX, upgradeTimeout: UPGRADE_MS_MAX });
  const upgraded = new WeakSet<Socket>();
  proxy.on('proxyReqWs', (asked, _request, socket) => {
    asked.once('upgrade', (_response, upstream) => {
      upgraded.add(socket);
      // Neither side outlives the other, however it went.
      socket.once('close', () => upstream.destroy());
      upstream.once('close', () => socket.destroy());
    });
    asked.once('response', () => upgraded.add(socket));
  });
  proxy.on('error', (_error, _request, to) => {
    if (!(to instanceof Socket)) {
      if (to && 'headersSent' in to && 'writeHead' in to) refuse(to, UNAVAILABLE);
    } else if (upgraded.has(to)) to.destroy();
    else refuseUpgrade(to, UNAVAILABLE);
  });
  return proxy;
};

/** Serves the public port. `parts` are asked for `/readyz`, which is ready when all are. */
export const startProxy = async (
  port: number,
  routes: readonly Route[],
  parts: Readonly<Record<string, Part>>,
): Promise<Proxy> => {
  const proxy = proxyServer();
  const upgraded = new Set<Socket>();
  const targetOf = ({ url = '/' }: IncomingMessage): Readonly<{ target?: string }> | undefined => {
    const route = routes.find(
      ({ path }) => url === path || url.startsWith(`${path}/`) || url.startsWith(`${path}?`),
    );
    if (!route) return undefined;
    const target = parts[route.part]?.url();
    return target === undefined ? {} : { target };
  };
  const server = createServer((request, response) => {
    if (/^\/readyz(?:\?|$)/u.test(request.url ?? '')) {
      void ready(response, parts);
      return;
    }
    const found = targetOf(request);
    if (found?.target === undefined) {
      refuse(response, found ? UNAVAILABLE : NOT_FOUND);
      return;
    }
    sayFrom(request);
    proxy.web(request, response, found).catch(() => refuse(response, UNAVAILABLE));
  });
  server.headersTimeout = HEADERS_MS_MAX;
  server.requestTimeout = REQUEST_MS_MAX;
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    socket.on('error', () => socket.destroy());
    const found = targetOf(request);
    if (found?.target === undefined) {
      refuseUpgrade(socket, found ? UNAVAILABLE : NOT_FOUND);
      return;
    }
    sayFrom(request);
    proxy.ws(request, socket, found, head).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = `Port ${port} is taken by another program; choose one by --port.`;
      reject(cause.code === 'EADDRINUSE' ? new Error(taken, { cause }) : cause);
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    });
  return { port: typeof address === 'object' && address ? address.port : port, close };
};
