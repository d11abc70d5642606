import { once } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';

/**
 * What a bare Socket.IO client, without any of the SDK's manners, has to do with one connection.
 */
export type Bare = Readonly<{
  socket: Socket;
  /** Emits with an acknowledgement, and gives the answer. */
  ask: (name: string, ...sent: readonly unknown[]) => Promise<Answer>;
  /** Resolves with the reason once the connection is gone. */
  gone: Promise<string>;
  /** What the server said before it closed the connection. */
  errors: { code: string; message: string }[];
}>;

/** An answer of the socket door. */
export type Answer = Readonly<{
  ok: boolean;
  duplicate?: boolean;
  data?: Readonly<Record<string, unknown>>;
  position?: string;
  error?: Readonly<{
    code: string;
    message: string;
    retryable: boolean;
    retryAfterMs?: number;
    details?: Readonly<Record<string, unknown>>;
    traceId: string;
  }>;
}>;

const ANSWER_MS_MAX = 8_000;

/** A bare client that has yet to connect. */
export const bareClient = (url: string, auth: object, options: object = {}): Socket =>
  io(url, {
    path: '/socket.io',
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth,
    ...options,
  });

/** Connects with a token. */
export const connectBare = async (url: string, token: string, more: object = {}): Promise<Bare> => {
  const socket = bareClient(url, { token, protocol: 1, capabilities: [], ...more });
  const errors: Bare['errors'] = [];
  socket.on('error', (error: Bare['errors'][number]) => errors.push(error));
  const gone = new Promise<string>((resolve) => {
    socket.once('disconnect', resolve);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('welcome', () => resolve());
    socket.once('connect_error', reject);
  });
  const ask = (name: string, ...sent: readonly unknown[]) =>
    new Promise<Answer>((resolve, reject) => {
      const answered = (error: Error | null, answer: Answer) =>
        error ? reject(new Error(`No answer to ${name}.`, { cause: error })) : resolve(answer);
      socket.timeout(ANSWER_MS_MAX).emit(name, ...sent, answered);
    });
  return { socket, ask, gone, errors };
};

/** Why a handshake is refused: what `connect_error` says. Fails when it is not. */
export const refusalOf = async (socket: Socket): Promise<Error & { data?: unknown }> => {
  try {
    return await new Promise((resolve, reject) => {
      socket.once('connect_error', resolve);
      socket.once('connect', () => reject(new Error('The handshake was let through.')));
    });
  } finally {
    socket.disconnect();
  }
};

/** A bare WebSocket to the socket door. */
export const rawSocket = (url: string, query = '', options: object = {}): WebSocket =>
  new WebSocket(
    `${url.replace('http', 'ws')}/socket.io/?${query || 'EIO=4&transport=websocket'}`,
    options,
  );

/** The HTTP status by which an upgrade is refused. */
export const upgradeStatus = async (socket: WebSocket): Promise<number> => {
  const status = await new Promise<number>((resolve) => {
    socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    socket.once('open', () => resolve(101));
    socket.once('error', () => resolve(-1));
  });
  socket.on('error', () => undefined);
  socket.terminate();
  return status;
};

/** Resolves when a raw socket is closed. */
export const closed = async (socket: WebSocket): Promise<void> => {
  socket.on('error', () => undefined);
  if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close');
};
