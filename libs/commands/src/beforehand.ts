import { Inject, Injectable } from '@nestjs/common';
import {
  audience,
  conversation,
  mayRead,
  memberKey,
  reject,
  user,
  type Original,
  type Target,
  type MemberView,
  type StoredEntry,
} from '#domain';
import { Claims } from './claims.js';
import type { About, Beforehand, Draft, HeldClaim } from './entries.js';
import { limitOf, type Limit } from '#platform';
import { Invites, type InviteNames } from './invites.js';
import { Messages, type Named } from './messages.js';
import { Originals } from './originals.js';
import { PORTS, type Ports } from './ports.js';
import { Streams } from './streams.js';

/** Streams of people looked into at once, where the read model does not know them. */
const LOOKS_AT_ONCE = 16;
/** How often a message is looked for before it is taken not to be there, and the pause (ms). */
const LOOKS_MAX = 5;
const LOOK_MS = 100;
/** People that a refusal names. */
const NAMED_MAX = 10;

/** What other streams say to a command before its own stream decides. */
@Injectable()
export class OtherStreams implements Beforehand {
  readonly #originals: Originals;
  readonly #invites: Invites;
  readonly #guesses: Limit | undefined;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly streams: Streams,
    private readonly claims: Claims,
    private readonly messages: Messages,
  ) {
    this.#originals = new Originals(ports, streams, messages);
    this.#invites = new Invites(ports.keys);
    this.#guesses = limitOf(ports.config, 'invite-joins');
  }

  message(actor: string, named: Named): Promise<Target> {
    return this.messages.find(actor, named);
  }

  original(actor: string, named: Named): Promise<Original | undefined> {
    return this.#originals.find(actor, named);
  }

  async invite(actor: string, token: string): Promise<InviteNames> {
    const retryAfterMs = this.#guesses ? await this.ports.limiter.take(this.#guesses, actor) : 0;
    if (retryAfterMs > 0)
      reject('rate_limited', 'Too many links; wait a little.', { retryAfterMs });
    return this.#invites.read(token);
  }

  async reluctant(actor: string, userIds: readonly string[]): Promise<readonly string[]> {
    const reluctant: string[] = [];
    for (let from = 0; from < userIds.length; from += LOOKS_AT_ONCE) {
      const looked = userIds.slice(from, from + LOOKS_AT_ONCE).map(async (userId) => {
        const { state } = await this.streams.look(user, `user-${userId}`, 0);
        const { privacy, blocked } = state;
        if (privacy.adding === 'nobody' || blocked.has(actor)) reluctant.push(userId);
      });
      await Promise.all(looked);
    }
    return reluctant;
  }

  get sizeMax(): number {
    return this.ports.config.GROUP_MEMBERS_MAX;
  }

  async head(conversationId: string): Promise<number> {
    const latest = Number.MAX_SAFE_INTEGER;
    const stream = `conversation-${conversationId}`;
    return (await this.streams.look(conversation, stream, latest)).revision;
  }

  async mustBeBroadcast(conversationId: string): Promise<void> {
    const { state } = await this.streams.look(conversation, `conversation-${conversationId}`, 0);
    if (state.kind !== 'broadcast') reject('not_found', 'There is no such broadcast.');
  }

  async mustBeIn(conversationId: string, userId: string): Promise<void> {
    // What is held may be a little old: who is not in it may have come since.
    for (const upTo of [0, Number.MAX_SAFE_INTEGER]) {
      const { state } = await this.streams.look(
        conversation,
        `conversation-${conversationId}`,
        upTo,
      );
      if (state.members.has(userId)) return;
      if (state.kind !== 'broadcast') continue;
      const heard = await this.streams.look(audience, `audience-${conversationId}`, upTo);
      if (heard.state.followers.has(userId)) return;
    }
    reject('not_found', 'There is no such conversation, or you are not in it.');
  }

  async mustSee(message: About & Readonly<{ messageId: string }>, userId: string): Promise<void> {
    // A message that was sent just now is in the read models in a moment.
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      if (look > 0) await this.ports.timer.sleep(LOOK_MS);
      if (await this.#isThere(message, userId)) return;
    }
    reject('not_found', 'There is no such message.');
  }

  async #isThere(
    { conversationId, messageId }: About & Readonly<{ messageId: string }>,
    userId: string,
  ): Promise<boolean> {
    const { views } = this.ports;
    const [message] = await views.get<StoredEntry>('history', [messageId]);
    if (message?.conversationId !== conversationId || message.type !== 'message.sent') return false;
    const [place] = await views.get<MemberView>('members', [memberKey(conversationId, userId)]);
    return place !== undefined && mayRead(place.intervals, message.place);
  }

  async claimUsername(username: string, draft: Draft): Promise<HeldClaim> {
    const { actor } = draft;
    const latest = Number.MAX_SAFE_INTEGER;
    const { revision: asOf } = await this.streams.look(user, `user-${actor}`, latest);
    const holder = await this.claims.take('username', username, { holder: actor, asOf }, draft);
    if (holder !== actor) reject('username_taken', 'Somebody has this username.');
    return { claim: this.claims.streamOf('username', username), asOf };
  }

  async mustExist(userIds: readonly string[]): Promise<void> {
    const doubtful = await this.#unknownToViews([...new Set(userIds)]);
    const users: string[] = [];
    for (let from = 0; from < doubtful.length; from += LOOKS_AT_ONCE) {
      const looked = doubtful.slice(from, from + LOOKS_AT_ONCE).map(async (userId) => {
        const { state } = await this.streams.look(user, `user-${userId}`, 0);
        if (!state.registered) users.push(userId);
      });
      await Promise.all(looked);
      if (users.length >= NAMED_MAX) break;
    }
    if (users.length > 0)
      reject('not_found', 'Some of the people named do not exist.', {
        users: users.slice(0, NAMED_MAX),
      });
  }

  /** The read model knows most at once; whom it does not, the log knows, or nobody. */
  async #unknownToViews(userIds: readonly string[]): Promise<readonly string[]> {
    try {
      const known = await this.ports.views.get('users', userIds);
      const ids = new Set(known.map(({ _id }) => _id));
      return userIds.filter((userId) => !ids.has(userId));
    } catch {
      // Without the read models the log knows them all, only slower.
      return userIds;
    }
  }
}
