import { Injectable, Logger } from '@nestjs/common';
import { conversation, user, type Command, type User, type UserEvent } from '#domain';
import { AccountNews } from './account-news.js';
import { Streams, type LookedAt } from './streams.js';

/** Facts that change from whom a person takes messages. */
const CHANGES: ReadonlySet<UserEvent['type']> = new Set([
  'PersonBlocked',
  'PersonUnblocked',
  'PrivacyChanged',
  'AccountDeactivated',
  'AccountReactivated',
  'DeletionScheduled',
  'DeletionCancelled',
  'AccountDeleted',
]);

type Later<T> = T | Promise<T>;

const then = <T, R>(value: Later<T>, go: (value: T) => Later<R>): Later<R> =>
  value instanceof Promise ? value.then(go) : go(value);

const isAway = ({ status, deletionDueAt }: User): boolean =>
  status !== 'active' || deletionDueAt !== undefined;

/**
 * Whether two people write to each other: blocks, privacy and closed accounts are facts of the
 * people's own streams, which the stream of a direct conversation does not know. A process holds
 * the states it needs and looks again when it hears of a change, so that a block holds within the
 * time that the news takes. No fact of a block enters the conversation, where both would read it.
 */
@Injectable()
export class Welcome {
  readonly #logger = new Logger(Welcome.name);
  /** Revisions that were heard of and are being read. */
  readonly #heard = new Map<string, number>();

  constructor(
    private readonly streams: Streams,
    news: AccountNews,
  ) {
    news.on(({ type, stream, revision }) => {
      if (CHANGES.has(type)) void this.#lookAgain(stream, revision);
    });
  }

  /** Whether the other of the direct conversation that a command is about takes nothing from the actor. */
  refuses({ type, data, meta }: Command): Later<boolean> {
    const { conversationId } = data as { conversationId?: unknown };
    if (typeof conversationId !== 'string') return false;
    return type === 'StartConversation'
      ? this.#refusesStart(data, meta.actor)
      : this.refusesIn(conversationId, meta.actor);
  }

  /** Whether the other of a direct conversation takes nothing from a person. */
  refusesIn(conversationId: string, actor: string): Later<boolean> {
    const looked = this.streams.look(conversation, `conversation-${conversationId}`, 0);
    return then(looked, ({ state }) => {
      if (state.kind !== 'direct') return false;
      const other = [...state.members.keys()].find((userId) => userId !== actor);
      return other !== undefined && this.#between(actor, other, false);
    });
  }

  /** Whether what a person reads is told to nobody but their own devices. */
  readsPrivately(userId: string): Later<boolean> {
    return then(this.#person(userId), ({ state }) => state.privacy.receipts === 'nobody');
  }

  #refusesStart(data: Readonly<object>, actor: string): Later<boolean> {
    // The one command of this name is about a conversation that begins.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { kind, members } = data as { kind: string; members: readonly string[] };
    const [other] = members;
    const isOther = other !== undefined && other !== actor;
    return kind === 'direct' && isOther && this.#between(actor, other, true);
  }

  #between(actor: string, other: string, isStart: boolean): Later<boolean> {
    return then(this.#person(other), ({ state: theirs }) => {
      const isClosed = isAway(theirs) || theirs.blocked.has(actor);
      if (isClosed || (isStart && theirs.privacy.writing === 'nobody')) return true;
      return then(this.#person(actor), ({ state: own }) => own.blocked.has(other));
    });
  }

  #person(userId: string): Later<LookedAt<User>> {
    const stream = `user-${userId}`;
    return this.streams.look(user, stream, this.#heard.get(stream) ?? 0);
  }

  async #lookAgain(stream: string, revision: number): Promise<void> {
    this.#heard.set(stream, revision);
    try {
      await this.streams.look(user, stream, revision);
      if (this.#heard.get(stream) === revision) this.#heard.delete(stream);
    } catch (error) {
      // Whoever needs the state reads it again.
      this.#logger.warn(`${stream}: ${String(error)}`);
    }
  }
}
