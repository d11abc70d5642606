import { Injectable } from '@nestjs/common';
import { AccountNews } from '#commands';
import { noticeOf, ownNoticeOf, type OwnEvent, type Recorded, type UserEvent } from '#domain';
import { Connections } from './connections.js';

/** Tells people's devices what happens to their accounts, and closes those whose session ended. */
@Injectable()
export class Accounts {
  constructor(
    private readonly news: AccountNews,
    private readonly connections: Connections,
  ) {}

  /** Nest calls it before the door opens. */
  onModuleInit(): void {
    this.news.on((event) => this.#hear(event));
    this.news.onOwn((event) => this.#tell(event));
  }

  #tell(event: Recorded<OwnEvent>): void {
    const notice = ownNoticeOf(event);
    for (const connection of this.connections.of(event.data.userId))
      connection.socket.emit('own', notice);
  }

  #hear(event: Recorded<UserEvent>): void {
    const { type, data } = event;
    const notice = noticeOf(event);
    if (notice)
      for (const connection of this.connections.of(data.userId))
        connection.socket.emit('account', notice);
    if (type !== 'SessionRevoked') return;
    for (const connection of this.connections.of(data.userId)) {
      if (connection.sessionId === data.sessionId)
        connection.end('The session has ended; log in again.');
    }
  }
}
