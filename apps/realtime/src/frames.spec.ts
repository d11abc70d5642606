import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { emissionOf } from './frames.js';

let server: WebSocketServer;

beforeAll(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
});

/** Reads a frame as a client's own library does: straight from the wire. */
const read = async (frame: Buffer): Promise<string> => {
  server.once('connection', (_, request) => request.socket.write(frame));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const message = await new Promise<string>((resolve) => {
    client.once('message', (data: Buffer) => resolve(data.toString()));
  });
  client.terminate();
  return message;
};

it.each([0, 100, 126, 1_000, 65_536, 200_000])(
  'frames a text of %i characters as a WebSocket library reads it',
  async (length) => {
    const text = `ä${'x'.repeat(length)}`;
    const emission = emissionOf('message.sent', { text }, { position: 1 });
    const [frame] = emission.options.wsPreEncodedFrame;
    expect(await read(frame)).toBe(`4${emission.packet}`);
    expect(JSON.parse(emission.packet.slice(1))).toEqual(['message.sent', { text }]);
    expect(emission.bytes).toBe(frame.length);
  },
);
