import type { z } from 'zod';
import type { Command, CommandMeta, Original, Target } from '#domain';

/** A command's meta while its stream, and so the id of its event, is still to be found. */
export type Draft = Omit<CommandMeta, 'eventId'>;

/** The stream of a claim that the actor holds, and their own revision that it rests on. */
export type HeldClaim = Readonly<{ claim: string; asOf: number }>;

/** What a command may ask of other streams before it is decided. */
export type Beforehand = Readonly<{
  /** Throws `not_found` unless the conversation is a broadcast; a kind never changes. */
  mustBeBroadcast: (conversationId: string) => Promise<void>;
  /** Throws `not_found` unless the person is in the conversation, or follows it. */
  mustBeIn: (conversationId: string, userId: string) => Promise<void>;
  /** Throws `not_found` unless the message is there for the person to read. */
  mustSee: (message: About & Readonly<{ messageId: string }>, userId: string) => Promise<void>;
  /** Throws `not_found` where some of these people do not exist. */
  mustExist: (userIds: readonly string[]) => Promise<void>;
  /** Place, author and time of a message that the actor was there for; throws `not_found`. */
  message: (
    actor: string,
    named: Readonly<{ conversationId: string; messageId: string }>,
  ) => Promise<Target>;
  /**
   * A message as it stands, to be passed on; `undefined` once it is gone. Throws `not_found` where
   * the actor may not read it, and `rate_limited`.
   */
  original: (
    actor: string,
    named: Readonly<{ conversationId: string; messageId: string }>,
  ) => Promise<Original | undefined>;
  /** What a link names; throws `not_found` for a made-up one, and `rate_limited`. */
  invite: (
    actor: string,
    token: string,
  ) => Promise<Readonly<{ conversationId: string; inviteId: string }>>;
  /** Those of some people whom the actor does not add without asking: why is nobody's business. */
  reluctant: (actor: string, userIds: readonly string[]) => Promise<readonly string[]>;
  /** Members that a group may have here. */
  sizeMax: number;
  /** Seq of the last fact of a conversation. */
  head: (conversationId: string) => Promise<number>;
  /** Makes the actor the holder of a username, or throws `username_taken`; gives the claim. */
  claimUsername: (username: string, meta: Draft) => Promise<HeldClaim>;
}>;

/** A command as clients name it: what it takes, the stream it is about, what it becomes. */
export type CommandEntry<I extends z.ZodType = z.ZodType, D extends object = object> = Readonly<{
  input: I;
  /** Completes the data by what must come first in other streams. */
  beforehand?(data: z.infer<I>, meta: Draft, ask: Beforehand): Promise<D>;
  streamOf(data: D, meta: Draft): string;
  toCommand(data: D, meta: CommandMeta): Command;
}>;

/** The class that a command is. */
export type Making<D> = new (data: D, meta: CommandMeta) => Command;
/** What every command about a conversation says. */
export type About = Readonly<{ conversationId: string }>;

/** The stream of a conversation. */
export const streamOfConversation = ({ conversationId }: About) => `conversation-${conversationId}`;

/** Decided by the conversation's own stream. */
export const inConversation = <I extends z.ZodType<About>>(input: I, Made: Making<z.infer<I>>) => ({
  input,
  streamOf: streamOfConversation,
  toCommand: (data: z.infer<I>, meta: CommandMeta) => new Made(data, meta),
});

/** Decided by the stream of a broadcast's audience. */
export const inAudience = <I extends z.ZodType<About>>(input: I, Made: Making<z.infer<I>>) => ({
  input,
  beforehand: async (data: z.infer<I>, _meta: Draft, ask: Beforehand) => {
    await ask.mustBeBroadcast(data.conversationId);
    return data;
  },
  streamOf: ({ conversationId }: About) => `audience-${conversationId}`,
  toCommand: (data: z.infer<I>, meta: CommandMeta) => new Made(data, meta),
});

/** The stream of who acts. */
export const streamOfActor = (_data: object, { actor }: Draft) => `user-${actor}`;

/** Decided by the stream of who acts. */
export const ofActor = <D extends object>(
  input: z.ZodType<D>,
  Made: Making<D & Readonly<{ userId: string }>>,
) => ({
  input,
  streamOf: streamOfActor,
  toCommand: (data: D, meta: CommandMeta) => new Made({ ...data, userId: meta.actor }, meta),
});
