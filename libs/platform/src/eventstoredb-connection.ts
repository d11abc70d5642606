import { EventStoreDBClient } from '@eventstore/db-client';
import type {
  CallOptions,
  ClientDuplexStream,
  ClientReadableStream,
  Metadata,
} from '@grpc/grpc-js';
import { services, type ReadReq, type StreamsClient } from './eventstoredb-messages.js';
import { readAnswer, type ReadAnswer } from './eventstoredb-wire.js';

/** A call on which bytes go out and bytes come back. */
export type AppendCall = ClientDuplexStream<Buffer, Buffer>;
/** A call on which the log's events come in. */
export type ReadCall = ClientReadableStream<ReadAnswer>;

/** What the driver has for its own calls; protected in its types, not at run time. */
type Driver = Readonly<{
  GRPCStreamCreator: <C extends AppendCall | ReadCall>(
    client: typeof services.StreamsClient,
    name: string,
    create: (client: StreamsClient) => C,
  ) => () => Promise<C>;
  callArguments: (options: object, callOptions: CallOptions) => [Metadata, CallOptions];
}>;

const PATH = '/event_store.client.streams.Streams';
/** Time after which a read was not answered, and a millisecond more for each event of it. */
const READ_MS_MAX = 10_000;

const asItIs = (bytes: Buffer): Buffer => bytes;
const serialized = (request: ReadReq): Buffer => Buffer.from(request.serializeBinary());

/**
 * The driver's connection: it finds the node, authenticates, and connects anew after a break. The
 * calls on it are our own. Those of the driver's 6.2.1 take the process down when a connection
 * breaks under load (an unhandled rejection), wait for ever on a server that hangs, have no filter
 * for reads, and cost several times as much.
 */
export class Connection {
  readonly #client: EventStoreDBClient;
  readonly #driver: Driver;

  constructor(url: string) {
    this.#client = EventStoreDBClient.connectionString(url);
    // The driver's version is pinned.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    this.#driver = this.#client as unknown as Driver;
  }

  /** Opens a call for appends. */
  appends(): Promise<AppendCall> {
    const [metadata, options] = this.#driver.callArguments({}, { deadline: Infinity });
    return this.#driver.GRPCStreamCreator(services.StreamsClient, 'append', (client) =>
      client.makeBidiStreamRequest(`${PATH}/BatchAppend`, asItIs, asItIs, metadata, options),
    )();
  }

  /** Opens a subscription, or a read that fails when it takes too long. */
  reads(request: ReadReq): Promise<ReadCall> {
    const asked = request.getOptions();
    const [metadata, options] = asked?.hasSubscription()
      ? this.#driver.callArguments({}, { deadline: Infinity })
      : this.#driver.callArguments({ deadline: READ_MS_MAX + Number(asked?.getCount()) }, {});
    const path = `${PATH}/Read`;
    return this.#driver.GRPCStreamCreator(services.StreamsClient, 'read', (client) =>
      client.makeServerStreamRequest(path, serialized, readAnswer, request, metadata, options),
    )();
  }

  async close(): Promise<void> {
    await this.#client.dispose();
  }
}
