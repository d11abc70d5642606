import { IoAdapter } from '@nestjs/platform-socket.io';
import type { INestApplicationContext } from '@nestjs/common';
import type { ServerOptions } from 'socket.io';

/** Asks the doorman before anything else is done with a request. */
export type AllowRequest = NonNullable<ServerOptions['allowRequest']>;

/** Nest's way to Socket.IO, with the doorman in front and without Nest's streams per socket. */
export class SocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly allowRequest: AllowRequest,
  ) {
    super(app);
  }

  override createIOServer(
    port: number,
    options?: ServerOptions,
  ): ReturnType<IoAdapter['createIOServer']> {
    // Nest hands over what the gateway's decorator says, which is a part of the options.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const all = { ...options, allowRequest: this.allowRequest } as ServerOptions;
    return super.createIOServer(port, all);
  }

  /** All events go through the gateway's inbox. */
  override bindMessageHandlers(): void {
    return undefined;
  }
}
