import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { HttpException, type LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import compression from 'compression';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Ports } from '#commands';
import type { CodeSender } from '#platform';
import { AppModule } from './app.module.js';
import { describeSocketAt } from './asyncapi.js';
import { describeAt } from './docs.js';
import { jsonBody } from './json-body.js';
import { problemOf } from './problem.filter.js';
import { traced } from './trace.js';

/** How patient the server is with slow callers (fault T39). */
export type Patience = Readonly<{ headersMs: number; requestMs: number; checkMs: number }>;
const PATIENCE: Patience = { headersMs: 10_000, requestMs: 30_000, checkMs: 1_000 };

/** Bytes of all headers; more is 431. */
const HEADER_BYTES_MAX = 16_384;
/** Requests of one connection before it is renewed, so that load spreads anew. */
const REQUESTS_PER_SOCKET_MAX = 10_000;

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What Node reports about a request that never became one, and how it is answered. */
const BROKEN: Readonly<Record<string, [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'too_large', 'The headers are too long.'],
  HPE_INVALID_METHOD: [405, 'method_not_allowed', 'There is no such method.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'timeout', 'The request took too long to arrive.'],
};

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** Answers what cannot be parsed as HTTP, and ends the connection. */
const answerBroken = (error: Error & { code?: string }, socket: Duplex): void => {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const broken = BROKEN[error.code ?? ''] ?? [400, 'bad_request', 'This is not HTTP.'];
  const [status, code, detail] = broken;
  const body = JSON.stringify(problemOf(status, code, detail));
  socket.end(
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Bad Request'}\r\nConnection: close\r\n` +
      'Content-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
};

/** Nest's Express adapter on a server that checks its time limits often and parses strictly. */
class StrictAdapter extends ExpressAdapter {
  constructor(
    instance: Express,
    private readonly patience: Patience,
  ) {
    super(instance);
  }

  override initHttpServer(): void {
    const { headersMs, requestMs, checkMs } = this.patience;
    const server: Server = createServer(
      {
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        connectionsCheckingInterval: checkMs,
        maxHeaderSize: HEADER_BYTES_MAX,
        insecureHTTPParser: false,
        requireHostHeader: true,
      },
      (request: IncomingMessage, response) => {
        this.getInstance<Express>()(request, response);
      },
    );
    server.maxRequestsPerSocket = REQUESTS_PER_SOCKET_MAX;
    server.on('clientError', answerBroken);
    this.httpServer = server;
  }
}

/** Headers that keep a browser from making more of an answer than it is. */
const guarded = ({ path }: Request, response: Response, next: NextFunction): void => {
  const isPage = path === '/docs' || path.startsWith('/docs/');
  response.set({
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Security-Policy': isPage
      ? "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
        "script-src 'self'; frame-ancestors 'none'"
      : "default-src 'none'; frame-ancestors 'none'",
  });
  if (!isPage) response.set('Cache-Control', 'no-store');
  next();
};

/**
 * Pages of conversations are packed for who takes it packed. What carries secrets is not: its
 * length would tell of it where a caller chooses a part of it (BREACH).
 */
const isPage = ({ method, path }: Request): boolean =>
  method === 'GET' && /^\/v1\/(?:overview|conversations)/u.test(path);

const knownMethod = ({ method }: Request, response: Response, next: NextFunction): void => {
  if (METHODS.has(method)) return next();
  response.set('Allow', [...METHODS].join(', '));
  next(new HttpException('There is no such method here.', 405));
};

/** The REST door, ready to listen. */
export const createHttpApp = async (
  ports: Ports,
  sender: CodeSender,
  patience: Patience = PATIENCE,
): Promise<NestExpressApplication> => {
  const instance = express();
  instance.disable('x-powered-by').disable('etag').set('query parser', 'simple');
  instance.enable('strict routing').enable('case sensitive routing');
  const levels: LogLevel[] = ['error', 'warn', 'log', 'debug'];
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.on(ports, sender),
    new StrictAdapter(instance, patience),
    {
      bodyParser: false,
      logger: levels.slice(0, levels.indexOf(ports.config.LOG_LEVEL) + 1),
      forceCloseConnections: false,
    },
  );
  app.use((request: Request, response: Response, next: NextFunction) => {
    const trace = ports.random.uuid();
    traced(request, trace);
    response.set('X-Request-Id', trace);
    next();
  });
  app.use(guarded, knownMethod, compression({ filter: isPage }), jsonBody);
  describeAt(app, ports.config.PUBLIC_URL);
  describeSocketAt(app, ports.config.PUBLIC_URL);
  return app;
};
