import type { Server } from 'node:http';
import type { INestApplication, LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Ports } from '#commands';
import { RealtimeModule } from './realtime.module.js';
import { SocketAdapter } from './socket.adapter.js';
import { SocketGateway } from './socket.gateway.js';

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'log', 'debug'];
/** A request that has not brought its headers, or not all of itself, by then is cut off (T38). */
const REQUEST_MS_MAX = 10_000;

/** The socket door, ready to listen. */
export const createRealtimeApp = async (ports: Ports): Promise<INestApplication<Server>> => {
  const app = await NestFactory.create<INestApplication<Server>>(RealtimeModule.on(ports), {
    bodyParser: false,
    logger: LEVELS.slice(0, LEVELS.indexOf(ports.config.LOG_LEVEL) + 1),
  });
  const gateway = app.get(SocketGateway);
  app.useWebSocketAdapter(
    new SocketAdapter(app, (request, answer) => gateway.allowRequest(request, answer)),
  );
  const server = app.getHttpServer();
  server.headersTimeout = REQUEST_MS_MAX;
  server.requestTimeout = REQUEST_MS_MAX;
  return app;
};
