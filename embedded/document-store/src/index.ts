import { type Server, type Socket, createServer } from 'node:net';
import { answer } from './commands/dispatch.js';
import { Cursors } from './commands/cursors.js';
import { Store } from './storage/store.js';
import { Connection } from './wire/connection.js';

/** Where a store keeps its data and where it listens; port 0 takes any free one. */
export interface DocumentStoreOptions {
  readonly dataDir: string;
  readonly port: number;
}

/** A running store. */
export interface DocumentStore {
  readonly port: number;
  /** Answers what has been asked, syncs, and lets go of the folder. */
  close(): Promise<void>;
}

function portOf(listener: Server): number {
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}

/**
 * Starts a server that the mongodb driver uses as it would a standalone mongod, on loopback only.
 */
export async function startDocumentStore(options: DocumentStoreOptions): Promise<DocumentStore> {
  const store = Store.open(options.dataDir);
  const cursors = new Cursors();
  const server = { store, cursors };
  const connections = new Map<Socket, Connection>();
  const listener = createServer((socket) => {
    const connection = new Connection(socket, (request) => answer(server, request));
    connections.set(socket, connection);
    socket.on('close', () => connections.delete(socket));
  });
  try {
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(options.port, '127.0.0.1', resolve);
    });
  } catch (error) {
    cursors.close();
    await store.close();
    throw error;
  }
  return {
    port: portOf(listener),
    async close() {
      const closed = new Promise((resolve) => {
        listener.close(resolve);
      });
      await Promise.all([...connections.values()].map(async (connection) => connection.end()));
      await closed;
      cursors.close();
      await store.close();
    },
  };
}
