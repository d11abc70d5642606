import canonicalize from 'canonicalize';
import { z } from 'zod';
import { ArrangeConversation, own, SaveMessage, UnsaveMessage, type CommandMeta } from '#domain';
import { SetDraft, SetDraftHandler } from './drafts.js';
import type { About, Beforehand, CommandEntry, Draft, Making } from './entries.js';
import { handled } from './handled.js';
import { folders, id, note, preferences } from './inputs.js';
import { sending } from './message-commands.js';

type Owned = Readonly<{ userId: string }>;

const streamOfOwn = (_data: object, { actor }: Draft) => `own-${actor}`;

/** What a person keeps for themselves. */
const ofOwn = <I extends z.ZodType<object>>(input: I, Made: Making<z.infer<I> & Owned>) => ({
  input,
  streamOf: streamOfOwn,
  toCommand: (data: z.infer<I>, meta: CommandMeta) =>
    new Made({ ...data, userId: meta.actor }, meta),
});

/** Whether it is so, as the log has it. */
const answer = z.boolean().optional();
/** How a conversation is to be in one's list; `mutedUntil` null: no longer muted. */
export const arrangement = z.strictObject({
  mutedUntil: z.iso.datetime().nullable().optional(),
  archived: answer,
  pinned: answer,
  markedUnread: answer,
  folders: folders.optional(),
  settings: preferences.optional(),
});
const arranging = arrangement
  .extend({ conversationId: id })
  .refine((given) => Object.keys(given).length > 1, { error: 'Name what is to change.' });
type Arranging = z.infer<typeof arranging>;

/** A time that has long passed: nothing is muted by it. */
const NEVER = '1970-01-01T00:00:00.000Z';
const yesOrNo = (given: boolean | undefined) =>
  given === undefined ? undefined : given ? ('yes' as const) : ('no' as const);
const muting = (until: string | null | undefined): string | undefined =>
  typeof until === 'string' ? new Date(until).toISOString() : until === null ? NEVER : undefined;

const ofMessage = z.strictObject({ conversationId: id, messageId: id });
const saving = ofMessage.extend({ note: note.optional() });

const conversationOnly = z.strictObject({ conversationId: id });
const mustBeIn = async <D extends About>(data: D, { actor }: Draft, ask: Beforehand) => {
  await ask.mustBeIn(data.conversationId, actor);
  return data;
};
/** What is not said yet need not be whole. */
const drafting = sending.extend({ conversationId: id });

/** Of what a person keeps for themselves: lists and saved messages. */
export const ownCommands = {
  'conversation.arrange': {
    input: arranging,
    beforehand: mustBeIn<Arranging>,
    streamOf: streamOfOwn,
    toCommand: ({ conversationId, ...data }: Arranging & About, meta: CommandMeta) =>
      new ArrangeConversation(
        {
          userId: meta.actor,
          conversationId,
          mutedUntil: muting(data.mutedUntil),
          archived: yesOrNo(data.archived),
          pinned: yesOrNo(data.pinned),
          markedUnread: yesOrNo(data.markedUnread),
          folders: data.folders && canonicalize(data.folders),
          settings: data.settings && canonicalize(data.settings),
        },
        meta,
      ),
  },
  'message.save': {
    ...ofOwn(saving, SaveMessage),
    beforehand: async (data: z.infer<typeof saving>, { actor }: Draft, ask: Beforehand) => {
      await ask.mustSee(data, actor);
      return data;
    },
  },
  'message.unsave': ofOwn(ofMessage, UnsaveMessage),
  'draft.set': {
    input: drafting,
    beforehand: mustBeIn<z.infer<typeof drafting>>,
    streamOf: streamOfOwn,
    toCommand: ({ conversationId, ...draft }: z.infer<typeof drafting>, meta: CommandMeta) =>
      new SetDraft({ conversationId, draft }, meta),
  },
  'draft.clear': {
    input: conversationOnly,
    streamOf: streamOfOwn,
    toCommand: ({ conversationId }: About, meta: CommandMeta) =>
      new SetDraft({ conversationId, draft: {} }, meta),
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const ownHandlers = [
  handled(ArrangeConversation, own),
  handled(SaveMessage, own),
  handled(UnsaveMessage, own),
  SetDraftHandler,
];
