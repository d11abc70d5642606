import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** A wire to a server on this machine that a test can cut, or make silent without a word. */
export type Wire = Readonly<{
  /** Where to connect instead of to the server. */
  port: number;
  /** Breaks every connection; new ones go through. */
  cut: () => void;
  /** Nothing gets through in either direction, and nobody is told; new connections hang too. */
  silence: () => void;
  /** What waited goes through. */
  restore: () => void;
  close: () => Promise<void>;
}>;

/** Lays a wire to a port of this machine. */
export const wireTo = (target: number): Promise<Wire> => {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const carry = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause();
    });
    to.on('drain', () => {
      if (!isSilent) from.resume();
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    if (isSilent) from.pause();
  };
  const server = createServer((near) => {
    const far = createConnection(target, '127.0.0.1');
    near.setNoDelay(true);
    far.setNoDelay(true);
    carry(near, far);
    carry(far, near);
  });
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      // A server that listens on TCP has an address with a port.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const { port } = server.address() as AddressInfo;
      resolve({
        port,
        cut,
        silence: () => {
          isSilent = true;
          for (const socket of sockets) socket.pause();
        },
        restore: () => {
          isSilent = false;
          for (const socket of sockets) socket.resume();
        },
        close: () => {
          cut();
          return new Promise((closed) => {
            server.close(() => closed());
          });
        },
      });
    });
  });
};
