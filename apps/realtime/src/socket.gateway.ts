import type { IncomingMessage } from 'node:http';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayInit } from '@nestjs/websockets';
import type { Server, Socket } from 'socket.io';
import { Connections } from './connections.js';
import { Doorman, type Admitted } from './doorman.js';
import { Following } from './following.js';
import { Inbox } from './inbox.js';

/** Bytes of one frame from a client: a message of 64 KiB fits with room to spare (abuse 54). */
const FRAME_BYTES_MAX = 262_144;
/** A connection that has not shown a token by then is closed (abuse 40). */
const HANDSHAKE_MS_MAX = 10_000;
/** A dead connection is noticed within their sum (fault T29). */
const PING_INTERVAL_MS = 25_000;
const PING_TIMEOUT_MS = 20_000;

/**
 * A connected socket needs nothing of its request any more, and the headers are much of its memory.
 */
const dropRequest = ({ conn, handshake }: Socket): void => {
  Object.assign(conn, { request: undefined });
  Object.assign(handshake, { headers: {}, query: {}, auth: {} });
};

const ignored = (): void => undefined;

/**
 * The socket door: lets devices in, hands their events to the inbox, and runs the loop. WebSocket
 * only, so that there is no session id to guess; connection state recovery stays off, because it
 * tells removed members what was said after (finding R1).
 */
@WebSocketGateway({
  path: '/socket.io',
  transports: ['websocket'],
  serveClient: false,
  allowEIO3: false,
  maxHttpBufferSize: FRAME_BYTES_MAX,
  connectTimeout: HANDSHAKE_MS_MAX,
  pingInterval: PING_INTERVAL_MS,
  pingTimeout: PING_TIMEOUT_MS,
  perMessageDeflate: false,
  httpCompression: false,
})
export class SocketGateway
  implements OnGatewayInit<Server>, OnApplicationBootstrap, BeforeApplicationShutdown
{
  constructor(
    private readonly connections: Connections,
    private readonly doorman: Doorman,
    private readonly following: Following,
    private readonly inbox: Inbox,
  ) {}

  /** Whether facts arrive: the loop follows the log. */
  get isReady(): boolean {
    return this.following.isFollowing;
  }

  /** Engine.IO asks before it upgrades. */
  allowRequest(
    request: IncomingMessage,
    answer: (reason: string | null | undefined, allowed: boolean) => void,
  ): void {
    const allow = () => answer(null, true);
    this.doorman.allowRequest(request, allow).catch((error: unknown) => {
      answer(String(error), false);
    });
  }

  afterInit(server: Server): void {
    this.doorman.guard(server.engine);
    server.use((socket, next) => void this.doorman.authenticate(socket, next));
    server.on('connection', (socket) => this.#connected(socket));
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.following.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.following.stop();
  }

  #connected(socket: Socket): void {
    // Left there by the doorman, without whom nobody gets here.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { claims, capabilities } = socket.data as Admitted;
    socket.data = {};
    const connection = this.connections.open(socket, claims);
    // A broken frame closes the connection by itself; unheard, its event would end the process.
    socket.on('error', ignored);
    socket.on('disconnect', (reason) => this.connections.closed(connection, reason));
    // Never passed on: an event may bear any name, and some names end a process (finding R9).
    socket.use((event) => void this.inbox.take(connection, event));
    dropRequest(socket);
    connection.welcome(capabilities);
  }
}
