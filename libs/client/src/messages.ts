import { sentOf } from './accepted.js';
import type { Accepted, Fact, MessageKind, MessageVersion, PageOf, Sent } from './protocol.js';
import type { Query, Rest } from './rest.js';

/** A part of a text that means something; places count UTF-16 code units. */
export type Entity = Readonly<{ offset: number; length: number }> &
  (
    | Readonly<{ type: 'mention'; userId: string }>
    | Readonly<{ type: 'all' }>
    | Readonly<{ type: 'code'; language?: string }>
    | Readonly<{ type: 'link'; url: string }>
  );

/** A file that is kept elsewhere. */
export type Media = Readonly<{
  ref: string;
  mime: string;
  bytes: number;
  name?: string;
  width?: number;
  height?: number;
  durationMs?: number;
  wave?: readonly number[];
}>;

/** A place on earth; `until` of a live location. */
export type Location = Readonly<{
  latitude: number;
  longitude: number;
  accuracyM?: number;
  name?: string;
  until?: string;
}>;

/** What a message holds beside its text. */
export type Content = Readonly<{
  entities?: readonly Entity[];
  media?: Media;
  location?: Location;
  contact?: Readonly<{ name: string; phones: readonly string[]; userId?: string }>;
  metadata?: Readonly<Record<string, string | number | boolean>>;
}>;

/** A message to be said. */
export type NewMessage = Content &
  Readonly<{
    text?: string;
    kind?: MessageKind;
    /** The message that it answers. */
    replyTo?: string;
    /** The message on which the thread hangs that it is said in. */
    thread?: string;
    priority?: 'high' | 'normal' | 'low';
  }>;

/** A message at the top of a conversation. */
export type Pinned = Readonly<{
  messageId: string;
  pinnedBy: string;
  pinnedAt: string;
  message: Fact;
}>;

/** Who reacted, and with what. */
export type ReactionOf = Readonly<{ userId: string; emoji: string }>;

/** The ways into the outbox. */
export type Entering = Readonly<{
  /** For commands that keep the order of their conversation. */
  enter: (
    name: string,
    data: Readonly<{ conversationId: string } & Record<string, unknown>>,
    id?: string,
  ) => Promise<Accepted>;
  /** For what overwrites: in order only within its lane. */
  set: (name: string, lane: string, data: object) => Promise<Accepted>;
}>;

/** What a message's fact holds beside its text; nothing once its author was erased. */
export const contentOf = (fact: Fact): Content => {
  const { content } = fact.type === 'message.sent' ? fact.data : {};
  // The server has checked its form, and the proof covers it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return content === undefined || content === '' ? {} : (JSON.parse(content) as Content);
};

/** What is said, and what becomes of it; everything goes through the outbox. */
export class Messages {
  constructor(
    private readonly rest: Rest,
    private readonly outbox: Entering,
  ) {}

  /** Says something of any kind. Resolves when it is in the log; the same `id` is the same. */
  async send(
    conversationId: string,
    message: NewMessage,
    { id }: Readonly<{ id?: string }> = {},
  ): Promise<Sent> {
    return sentOf(await this.outbox.enter('message.send', { conversationId, ...message }, id));
  }

  /** Says it otherwise; earlier versions stay readable. */
  edit(
    conversationId: string,
    messageId: string,
    message: Content & Readonly<{ text?: string }>,
  ): Promise<Accepted> {
    return this.outbox.enter('message.edit', { conversationId, messageId, ...message });
  }

  /** Takes a message back, for everybody. */
  delete(conversationId: string, messageId: string): Promise<Accepted> {
    return this.outbox.enter('message.delete', { conversationId, messageId });
  }

  /** Says here what was said elsewhere, with its author's name on it. */
  async forward(
    conversationId: string,
    from: Readonly<{ conversationId: string; messageId: string }>,
  ): Promise<Sent> {
    return sentOf(await this.outbox.enter('message.forward', { conversationId, from }));
  }

  /** Shows a message at the top, for everybody. */
  pin(conversationId: string, messageId: string): Promise<Accepted> {
    return this.outbox.enter('message.pin', { conversationId, messageId });
  }

  unpin(conversationId: string, messageId: string): Promise<Accepted> {
    return this.outbox.enter('message.unpin', { conversationId, messageId });
  }

  /** Pinned messages, the latest pin first. */
  async pinned(conversationId: string, query: Query = {}): Promise<readonly Pinned[]> {
    const path = `/v1/conversations/${conversationId}/pins`;
    return (await this.rest.get<PageOf<Pinned>>(path, query)).items;
  }

  /** Reacts with one emoji, in the place of an earlier one. */
  react(conversationId: string, messageId: string, emoji: string): Promise<Accepted> {
    return this.#set({ conversationId, messageId, emoji });
  }

  /** Takes one's reaction away. */
  unreact(conversationId: string, messageId: string): Promise<Accepted> {
    return this.#set({ conversationId, messageId });
  }

  /** A page of those who reacted. */
  reactions(
    conversationId: string,
    messageId: string,
    query: Query = {},
  ): Promise<PageOf<ReactionOf>> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/reactions`;
    return this.rest.get(path, query);
  }

  #set(
    reaction: Readonly<{ conversationId: string; messageId: string; emoji?: string }>,
  ): Promise<Accepted> {
    return this.outbox.set('reaction.set', `reaction:${reaction.messageId}`, reaction);
  }

  /** All that a message has said, oldest first; nothing once it was deleted. */
  async versions(
    conversationId: string,
    messageId: string,
    query: Query = {},
  ): Promise<readonly MessageVersion[]> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/versions`;
    return (await this.rest.get<PageOf<MessageVersion>>(path, query)).items;
  }
}
