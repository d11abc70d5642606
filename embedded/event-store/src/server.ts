import {
  Metadata,
  Server,
  ServerCredentials,
  status as codes,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { createServer, type Server as HttpServer } from 'node:http';
import { createRequire } from 'node:module';
import { batchAppend } from './batch-append.js';
import { holdFolder } from './folder.js';
import { features, gossip } from './protocol.js';
import { read } from './reads.js';
import { Store } from './store.js';
import { append, softDelete } from './unary-appends.js';

const require = createRequire(import.meta.url);

/** The version of EventStoreDB whose answers this server gives. */
const COMPATIBLE_VERSION = '23.10.8';
/** A segment's size: small enough to copy, large enough to be few. */
const SEGMENT_BYTES = 64 * 1024 * 1024;
/** As the client's own limit. */
const MESSAGE_BYTES_MAX = 17 * 1024 * 1024;
/** As in the original. */
const KEEPALIVE_MS = 10_000;

/** Where and how a log server runs. Port 0 takes any free one. */
export type EventStoreOptions = Readonly<{
  dataDir: string;
  port?: number;
  /** Health and info over HTTP/1.1; left out, there is none. */
  httpPort?: number;
  segmentBytes?: number;
}>;

/** A running log server. */
export type RunningEventStore = Readonly<{
  port: number;
  httpPort: number | undefined;
  close: () => Promise<void>;
}>;

type Serialize = (value: { serializeBinary(): Uint8Array } | Buffer) => Buffer;
const serialize: Serialize = (value) =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.serializeBinary());

/** A generated service whose answers may be bytes already. */
const definitionOf = (module: string, name: string): ServiceDefinition => {
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- generated code without types
  const generated: Record<string, ServiceDefinition> = require(
    `@eventstore/db-client/generated/${module}`,
  );
  return Object.fromEntries(
    Object.entries(generated[name] ?? {}).map(([method, definition]) => [
      method,
      { ...definition, responseSerialize: serialize },
    ]),
  );
};

const METHODS: Readonly<Record<string, readonly [string, readonly string[]][]>> = {
  'event_store.client.streams.streams': [
    ['append', []],
    ['batchappend', ['deadline_duration']],
    ['delete', []],
    ['read', ['position', 'events']],
  ],
  'event_store.client.gossip.gossip': [['read', []]],
  'event_store.client.server_features.serverfeatures': [['getsupportedmethods', []]],
};

const supportedMethods = () => {
  const answer = new features.SupportedMethods();
  answer.setEventStoreServerVersion(COMPATIBLE_VERSION);
  for (const [service, methods] of Object.entries(METHODS)) {
    for (const [name, traits] of methods) {
      const method = new features.SupportedMethod();
      method.setServiceName(service);
      method.setMethodName(name);
      method.setFeaturesList([...traits]);
      answer.addMethods(method);
    }
  }
  return answer;
};

/** The one member of the cluster; state 8 is its leader. */
const clusterOf = (port: number) => {
  const endPoint = new gossip.EndPoint();
  endPoint.setAddress('127.0.0.1');
  endPoint.setPort(port);
  const member = new gossip.MemberInfo();
  member.setState(gossip.MemberInfo.VNodeState.LEADER);
  member.setIsAlive(true);
  member.setHttpEndPoint(endPoint);
  const cluster = new gossip.ClusterInfo();
  cluster.addMembers(member);
  return cluster;
};

type Done = (error: object | null, value?: object) => void;

/** Answers every method of a service with a clear refusal. */
const refusedService = (
  definition: ServiceDefinition,
  what: string,
): UntypedServiceImplementation =>
  Object.fromEntries(
    Object.entries(definition).map(([name, { responseStream }]) => {
      const error = {
        code: codes.UNIMPLEMENTED,
        details: `${what} are not supported by the embedded log server.`,
        metadata: new Metadata(),
      };
      const unary = (_call: unknown, done: Done): void => done(error);
      const streaming = (call: { emit: (name: string, error: object) => void }): void => {
        call.emit('error', error);
      };
      return [name, responseStream ? streaming : unary];
    }),
  );

const addServices = (server: Server, store: Store, portOf: () => number): void => {
  const streamsService = definitionOf('streams_grpc_pb.js', 'StreamsService');
  server.addService(streamsService, {
    ...refusedService(streamsService, 'Tombstones'),
    read: read(store),
    append: append(store),
    batchAppend: batchAppend(store),
    delete: softDelete(store),
  });
  server.addService(definitionOf('serverfeatures_grpc_pb.js', 'ServerFeaturesService'), {
    getSupportedMethods: (_call: unknown, done: Done) => done(null, supportedMethods()),
  });
  server.addService(definitionOf('gossip_grpc_pb.js', 'GossipService'), {
    read: (_call: unknown, done: Done) => done(null, clusterOf(portOf())),
  });
  for (const [module, name, what] of [
    ['persistent_grpc_pb.js', 'PersistentSubscriptionsService', 'Persistent subscriptions'],
    ['projections_grpc_pb.js', 'ProjectionsService', 'Projections'],
    ['users_grpc_pb.js', 'UsersService', 'Users and ACLs'],
    ['operations_grpc_pb.js', 'OperationsService', 'Operations'],
  ] as const) {
    const definition = definitionOf(module, name);
    server.addService(definition, refusedService(definition, what));
  }
};

const serveHealth = (port: number): Promise<HttpServer> =>
  new Promise((resolve, reject) => {
    const server = createServer((request, response) => {
      if (request.url === '/health/live') response.writeHead(204).end();
      else if (request.url === '/info') {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({ esVersion: COMPATIBLE_VERSION, state: 'leader', embedded: true }),
        );
      } else response.writeHead(404).end();
    });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

/** Starts a log server on a data folder. Refuses a folder that is held, newer or damaged. */
export const startEventStore = async (options: EventStoreOptions): Promise<RunningEventStore> => {
  const release = await holdFolder(options.dataDir);
  const store = await Store.open(options.dataDir, options.segmentBytes ?? SEGMENT_BYTES).catch(
    async (error: unknown) => {
      await release();
      throw error;
    },
  );
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
  });
  let port = 0;
  addServices(server, store, () => port);
  port = await new Promise<number>((resolve, reject) => {
    const address = `127.0.0.1:${options.port ?? 0}`;
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  const http = options.httpPort === undefined ? undefined : await serveHealth(options.httpPort);
  const bound = http?.address();
  return {
    port,
    httpPort: typeof bound === 'object' && bound ? bound.port : undefined,
    close: async () => {
      // What is on its way to the disk is still answered.
      await store.log.settled();
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      server.forceShutdown();
      http?.close();
      http?.closeAllConnections();
      await store.close();
      await release();
    },
  };
};
