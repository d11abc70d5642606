import type { ConversationKind, Fact, Reactions, Role } from './facts.js';

export * from './facts.js';

/** A place in the log: its position, a decimal string, and the id of what is there. */
export type Place = Readonly<{ position: string; id: string }>;

/** A mark that moved: it reached a device, or a person saw it. */
export type MovedMark = Readonly<{
  conversationId: string;
  userId: string;
  kind: 'delivered' | 'read';
  seq: number;
  at: string;
}>;

/** Marks that moved in one tick. */
export type ReceiptsMoved = Readonly<{
  v: 1;
  id: string;
  position: string;
  marks: readonly MovedMark[];
}>;

/** A reaction that somebody set; without an emoji they took theirs away. */
export type SetReaction = Readonly<{
  conversationId: string;
  messageId: string;
  seq: number;
  userId: string;
  emoji?: string;
}>;

/** Reactions that were set in one tick. */
export type ReactionsSet = Readonly<{
  v: 1;
  id: string;
  position: string;
  reactions: readonly SetReaction[];
}>;

/** What is felt about one message, after having been away. */
export type ReactionState = Reactions &
  Readonly<{ conversationId: string; messageId: string; seq: number }>;

/** How far one member has got. */
export type ReceiptState = Readonly<{
  conversationId: string;
  userId: string;
  read: number;
  readNumber: number;
  delivered: Readonly<Record<string, number>>;
  position: string;
}>;

/** What an accepted command left. */
export type Accepted = Readonly<{
  duplicate: boolean;
  position: string;
  data: Readonly<Record<string, unknown>>;
}>;

/** A message that is in the log. */
export type Sent = Readonly<{
  messageId: string;
  conversationId: string;
  seq: number;
  number: number;
  at: string;
  position: string;
  duplicate: boolean;
}>;

/** The server's greeting. */
export type Welcome = Readonly<{
  v: 1;
  userId: string;
  deviceId: string;
  protocol: number;
  capabilities: readonly string[];
  serverTime: string;
}>;

/** A page towards live. */
export type ResumePage = Readonly<{
  facts: readonly Fact[];
  receipts: readonly ReceiptState[];
  /** Absent from a server that knows none. */
  reactions?: readonly ReactionState[];
  cursor: string;
  more: boolean;
  live: boolean;
}>;

/** A conversation as a list shows it. */
export type ConversationItem = Readonly<{
  conversationId: string;
  kind: ConversationKind;
  name?: string;
  members: number;
  role: Role | 'follower';
  head: number;
  number: number;
  unread: number;
  /** Unread messages that mention one, or everybody; 100 stands for that many or more. */
  mentions: number;
  read: number;
  last?: Readonly<{ messageId: string; seq: number; by: string; at: string; text: string }>;
  description?: string;
  image?: string;
  /** Seconds that each member waits after a message, and messages of all in a minute. */
  slowModeS?: number;
  perMinute?: number;
  updatedAt: string;
  /** How one has it in one's list. */
  mutedUntil?: string;
  archived: boolean;
  pinned: boolean;
  markedUnread: boolean;
  folders: readonly string[];
  settings: Readonly<Record<string, string | number | boolean>>;
}>;

/** What one of one's own devices did for its person: fetch it anew. */
export type OwnNotice = Readonly<{
  v: 1;
  id: string;
  type:
    | 'conversation.arranged'
    | 'message.saved'
    | 'message.unsaved'
    | 'message.scheduled'
    | 'message.rescheduled'
    | 'schedule.released'
    | 'schedule.ended'
    | 'message.hidden'
    | 'message.unhidden'
    | 'thread.followed'
    | 'thread.unfollowed'
    | 'thread.read'
    | 'draft.changed';
  /** Place in the log, a decimal string; a draft has none. */
  position?: string;
  at: string;
  /** The device that did it. */
  by?: string;
  conversationId: string;
  /** The message, or the one on which the thread hangs. */
  messageId?: string;
}>;

/** Where to look in a conversation: one of them. */
export type Around = Readonly<
  ({ seq: number } | { messageId: string } | { at: string }) & {
    limit?: number;
    minPosition?: string;
  }
>;

/** Facts around a place, and where to go on in either direction (`before`, `after` of history). */
export type Passage = Readonly<{
  items: readonly Fact[];
  seq: number;
  before?: string;
  after?: string;
}>;

/** A page of a list. */
export type PageOf<Item> = Readonly<{ items: readonly Item[]; cursor?: string }>;

/** Who this device is. */
export type Session = Readonly<{
  token: string;
  userId: string;
  deviceId: string;
  expiresAt?: string;
  refreshToken?: string;
}>;

/** The tokens of a session: one to show, one to take for the next two. */
export type TokenPair = Readonly<{ accessToken: string; expiresAt: string; refreshToken: string }>;

/** A device as it introduces itself. */
export type NewDevice = Readonly<{
  id?: string;
  name: string;
  platform: string;
  version?: string;
}>;

/** The place in the log of what was done. */
export type Positioned = Readonly<{ position: string }>;

/** What logging in takes. `device.id` lets a client keep the id it has. */
export type Login = Readonly<{
  requestId: string;
  code: string;
  name?: string;
  device?: Partial<NewDevice>;
  /** A linked device that makes room for this one. */
  replace?: string;
}>;

/** What logging in gives. */
export type Tokens = TokenPair &
  Readonly<{ userId: string; deviceId: string; sessionId: string; registered: boolean }>;

/** Something that happened to the account, as its other devices are told. */
export type Notice = Readonly<{
  v: 1;
  id: string;
  /** Such as `session.started` or `login.refused`. */
  type: string;
  position: string;
  at: string;
  /** The device that did it. */
  by?: string;
  data: Readonly<Record<string, unknown>>;
}>;

/** A conversation that was begun, or was there. */
export type Started = Readonly<{ conversationId: string; seq: number; position: string }>;

/** A person as others see them. */
export type Person = Readonly<{
  userId: string;
  name: string;
  username?: string;
  about?: string;
  avatar?: string;
  deactivated?: true;
}>;

/** A member of a conversation. */
export type Member = Readonly<{
  userId: string;
  role: Role | 'follower';
  joinedAt: string;
  addedBy: string;
}>;

/** Somebody who was in it, or is banned. */
export type FormerMember = Readonly<{
  userId: string;
  status: 'left' | 'removed' | 'banned';
  bannedUntil?: string;
  joinedAt: string;
  addedBy: string;
}>;

/** A conversation with its end and its people. */
export type OverviewItem = ConversationItem &
  Readonly<{ recent: PageOf<Fact>; people: PageOf<Member> }>;

/** How much of an overview: conversations of a page, and of each so many facts and members. */
export type OverviewQuery = Readonly<{
  /** The conversation that is on the screen comes first. */
  open?: string;
  limit?: number;
  facts?: number;
  members?: number;
  cursor?: string;
  minPosition?: string;
}>;

/** A stretch of a conversation, by seq; both ends are left out. */
export type Range = Readonly<{
  before?: number;
  after?: number;
  limit?: number;
  minPosition?: string;
}>;
