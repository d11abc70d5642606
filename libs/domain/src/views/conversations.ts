import type { ConversationEvent, ConversationKind } from '../conversation/events.js';
import { givenOf, type Permissions } from '../conversation/roles.js';
import type { Projection } from '../projection.js';
import { meantBy } from './mentions.js';

/** Characters of the last message that a list shows: two lines on a phone. */
export const EXCERPT_CHARS_MAX = 200;

/** A message that is shown at the top. */
export type Pin = Readonly<{ messageId: string; seq: number; by: string; at: string }>;

/** One conversation, as a list shows it. The document's id is the conversation's. */
export type ConversationView = Readonly<{
  kind: ConversationKind;
  name?: string;
  /** Members now (a broadcast's admins). */
  members: number;
  /** Seq of the last fact, and messages so far. */
  head: number;
  number: number;
  /** Seq of the last message that mentions somebody. */
  called?: number;
  /** Numbers of the last message that is urgent, and that is not of low priority. */
  urgent?: number;
  plain?: number;
  startedAt: string;
  updatedAt: string;
  last?: Readonly<{ messageId: string; seq: number; by: string; at: string; text: string }>;
  /** Oldest first. */
  pins?: readonly Pin[];
  description?: string;
  image?: string;
  /** What an owner has changed of who may do what. */
  permissions?: Partial<Permissions>;
  access?: 'public' | 'private';
  approval?: boolean;
  history?: 'joined' | 'all';
  slowModeS?: number;
  perMinute?: number;
  /** Set once it was deleted; nobody is in it any more. */
  deleted?: true;
}>;

/** What an event changes of the document beside its head and time. */
type Change<Type extends ConversationEvent['type']> = (
  view: ConversationView,
  data: Extract<ConversationEvent, { type: Type }>['data'],
) => Partial<ConversationView>;

const oneLess = ({ members }: ConversationView) => ({ members: members - 1 });

/** Cut between code points: half of a pair is not text. */
const excerptOf = (text: string): string =>
  Array.from(text.slice(0, 2 * EXCERPT_CHARS_MAX))
    .slice(0, EXCERPT_CHARS_MAX)
    .join('');

const retold = ({ last }: ConversationView, messageId: string, text: string) =>
  last?.messageId === messageId ? { last: { ...last, text } } : {};

const unpinned = ({ pins }: ConversationView, messageId: string) =>
  pins ? { pins: pins.filter((pin) => pin.messageId !== messageId) } : {};
type Said = Extract<ConversationEvent, { type: 'MessageSent' }>['data'];

/** That a message mentions somebody now. */
const calledBy = ({ head }: ConversationView, data: Parameters<typeof meantBy>[0]) =>
  meantBy(data).length > 0 ? { called: head } : {};

/** What a message asks for: to be seen first, or not for its own sake. */
const urgencyOf = ({ plain }: ConversationView, { priority, number }: Said) => ({
  ...(priority === 'high' ? { urgent: number } : {}),
  plain: priority === 'low' ? (plain ?? number - 1) : number,
});

/** Those that show in lists; the others only move the head. */
const CHANGES: Readonly<{ [Type in ConversationEvent['type']]?: Change<Type> }> = {
  MembersAdded: (view, data) => ({ members: view.members + data.members.length }),
  MemberRemoved: oneLess,
  MemberLeft: oneLess,
  MemberBanned: (view, { wasIn }) => (wasIn === 'yes' ? oneLess(view) : {}),
  ConversationRenamed: (_, { name }) => ({ name }),
  ConversationDescribed: (_, { description, image }) => ({
    ...(description === undefined ? {} : { description }),
    ...(image === undefined ? {} : { image }),
  }),
  PermissionsChanged: ({ permissions }, data) => ({
    permissions: { ...permissions, ...givenOf(data) },
  }),
  JoiningChanged: (_, { access, approval, history: shared }) => ({
    ...(access === undefined ? {} : { access }),
    ...(approval === undefined ? {} : { approval: approval === 'yes' }),
    ...(shared === undefined ? {} : { history: shared }),
  }),
  PaceChanged: (_, { slowModeS, perMinute }) => ({
    ...(slowModeS === undefined ? {} : { slowModeS }),
    ...(perMinute === undefined ? {} : { perMinute }),
  }),
  ConversationDeleted: () => ({ deleted: true }),
  MembersDismissed: (view, data) => ({ members: view.members - data.members.length }),
  MessageDeleted: (view, { messageId }) => ({
    ...retold(view, messageId, ''),
    ...unpinned(view, messageId),
  }),
  MessagePinned: ({ pins = [] }, { messageId, messageSeq: seq, by, at }) => ({
    pins: [...pins, { messageId, seq, by, at }],
  }),
  MessageUnpinned: (view, { messageId }) => unpinned(view, messageId),
  // What is said in a thread is for those who follow it, and for those whom it mentions.
  MessageSent: (view, data) => {
    const { messageId, by, at, number, text, thread } = data;
    const called = calledBy(view, data);
    if (thread !== undefined) return called;
    const last = { messageId, seq: view.head, by, at, text: excerptOf(text) };
    return { number, ...called, ...urgencyOf(view, data), last };
  },
  MessageEdited: (view, data) => ({
    ...retold(view, data.messageId, excerptOf(data.text)),
    ...calledBy(view, data),
  }),
};

const changed = (view: ConversationView, event: ConversationEvent): Partial<ConversationView> => {
  // The table has each type's own change under its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const change = CHANGES[event.type] as Change<ConversationEvent['type']> | undefined;
  return change?.(view, event.data) ?? {};
};

/** One document per conversation: its last message and its counts. */
export const conversations: Projection<ConversationView, ConversationEvent> = {
  name: 'conversations',
  streams: ['conversation-'],
  indexes: [],
  keysOf: ({ data }) => [data.conversationId],
  evolve: (before, event) => {
    const { at } = event.data;
    const { kind, name } = event.type === 'ConversationStarted' ? event.data : { name: undefined };
    const view: ConversationView = {
      ...(before ?? {
        kind: kind ?? 'group',
        ...(name === undefined ? {} : { name }),
        members: 1,
        number: 0,
        startedAt: at,
      }),
      head: event.revision,
      updatedAt: at,
    };
    return { ...view, ...changed(view, event) };
  },
};
