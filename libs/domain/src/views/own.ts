import type { OwnEvent } from '../own/events.js';
import { objectOf } from '../own/evolve.js';
import type { Projection } from '../projection.js';
import { memberKey } from './members.js';

/** How a person has a conversation in their list; id `<conversation>:<user>`. */
export type ArrangementView = Readonly<{
  conversationId: string;
  userId: string;
  mutedUntil?: string;
  archived: boolean;
  pinned: boolean;
  markedUnread: boolean;
  folders: readonly string[];
  settings: Readonly<Record<string, unknown>>;
}>;

/** A message that a person saved; id `<user>:<message>`. */
export type SavedView = Readonly<{
  userId: string;
  conversationId: string;
  messageId: string;
  at: string;
  note?: string;
}>;

type Arranged = Extract<OwnEvent, { type: 'ConversationArranged' }>['data'];

const foldersOf = (written: string): readonly string[] => {
  const read: unknown = written === '' ? [] : JSON.parse(written);
  return Array.isArray(read) ? read.map(String) : [];
};

const settingsOf = (before: ArrangementView['settings'], changes: string) =>
  Object.fromEntries(
    Object.entries({ ...before, ...objectOf(changes) }).filter(([, value]) => value !== null),
  );

const arranged = (before: ArrangementView, data: Arranged): ArrangementView => {
  const { mutedUntil, archived, pinned, markedUnread, folders, settings } = data;
  return {
    ...before,
    ...(mutedUntil === undefined ? {} : { mutedUntil }),
    ...(archived === undefined ? {} : { archived: archived === 'yes' }),
    ...(pinned === undefined ? {} : { pinned: pinned === 'yes' }),
    ...(markedUnread === undefined ? {} : { markedUnread: markedUnread === 'yes' }),
    ...(folders === undefined ? {} : { folders: foldersOf(folders) }),
    ...(settings === undefined ? {} : { settings: settingsOf(before.settings, settings) }),
  };
};

/** How a conversation is in a list before its person arranges it. */
export const UNARRANGED = {
  archived: false,
  pinned: false,
  markedUnread: false,
  folders: [],
  settings: {},
} as const;

/** One document per person and conversation that they arranged, written only by their own acts. */
export const arrangements: Projection<ArrangementView, OwnEvent> = {
  name: 'arrangements',
  streams: ['own-'],
  indexes: [{ key: { userId: 1, position: 1 } }],
  keysOf: ({ type, data }) =>
    type === 'ConversationArranged' ? [memberKey(data.conversationId, data.userId)] : [],
  evolve: (before, { type, data }) => {
    if (type !== 'ConversationArranged') return before;
    const { conversationId, userId } = data;
    return arranged(before ?? { conversationId, userId, ...UNARRANGED }, data);
  },
};

/** One document per saved message. */
export const saved: Projection<SavedView, OwnEvent> = {
  name: 'saved',
  streams: ['own-'],
  indexes: [{ key: { userId: 1, position: -1 } }],
  keysOf: ({ type, data }) =>
    type === 'MessageSaved' || type === 'MessageUnsaved'
      ? [`${data.userId}:${data.messageId}`]
      : [],
  evolve: (before, { type, data }) => {
    if (type === 'MessageUnsaved') return undefined;
    if (type !== 'MessageSaved') return before;
    const { userId, conversationId, messageId, at, note } = data;
    const told = note ?? before?.note;
    return { userId, conversationId, messageId, at, ...(told === undefined ? {} : { note: told }) };
  },
};
