import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createProxyServer } from 'httpxy';

/** Where requests go, by what their path begins with; the first that fits. */
export type Route = Readonly<{ path: string; target: string }>;

/** The one public port: REST, socket and documentation behind one address. */
export type Proxy = Readonly<{ port: number; close: () => Promise<void> }>;

/** Seconds after which a client may try again while a part is being started. */
const RETRY_AFTER_S = 1;

const problem = (response: ServerResponse, status: number, code: string, detail: string): void => {
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'retry-after': String(RETRY_AFTER_S),
  });
  response.end(JSON.stringify({ type: 'about:blank', title: code, status, code, detail }));
};

const unavailable = (response: ServerResponse): void => {
  if (response.headersSent) response.destroy();
  else problem(response, 503, 'unavailable', 'This part is being started; try again.');
};

const isOpen = async (target: string): Promise<boolean> => {
  try {
    return (await fetch(`${target}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Not answering is the answer.
    return false;
  }
};

/** Serves the public port. `parts` are asked for `/readyz`, which is ready when all are. */
export const startProxy = async (
  port: number,
  routes: readonly Route[],
  parts: Readonly<Record<string, string>>,
): Promise<Proxy> => {
  const proxy = createProxyServer({});
  const targetOf = ({ url = '/' }: IncomingMessage): string | undefined =>
    routes.find(
      ({ path }) => url === path || url.startsWith(`${path}/`) || url.startsWith(`${path}?`),
    )?.target;
  const ready = async (response: ServerResponse): Promise<void> => {
    const states = await Promise.all(
      Object.entries(parts).map(async ([name, target]) => [name, await isOpen(target)] as const),
    );
    const isReady = states.every(([, open]) => open);
    response.writeHead(isReady ? 200 : 503, { 'content-type': 'application/json' });
    const shown = states.map(([name, open]) => [name, open ? 'ready' : 'down']);
    response.end(
      JSON.stringify({ status: isReady ? 'ready' : 'down', ...Object.fromEntries(shown) }),
    );
  };
  const server: Server = createServer((request, response) => {
    if (request.url === '/readyz') {
      void ready(response);
      return;
    }
    const target = targetOf(request);
    if (target === undefined)
      problem(response, 404, 'not_found', 'Nothing is here; the API is documented at /docs.');
    else proxy.web(request, response, { target }).catch(() => unavailable(response));
  });
  const upgraded = new Set<Socket>();
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const target = targetOf(request);
    socket.on('error', () => socket.destroy());
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    if (target === undefined) socket.destroy();
    else proxy.ws(request, socket, { target }, head).catch(() => socket.destroy());
  });
  proxy.on('error', (_error, _request, response) => {
    if (response instanceof Socket) response.destroy();
    else if (response && 'writeHead' in response) unavailable(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        // Sockets that were upgraded are no longer the server's to close.
        for (const socket of upgraded) socket.destroy();
      }),
  };
};
