/** What a message is. */
export type MessageKind =
  | 'text'
  | 'image'
  | 'video'
  | 'audio'
  | 'voice'
  | 'document'
  | 'location'
  | 'live_location'
  | 'contact';

/** What each fact says, by its type. */
export type FactData = {
  'message.sent': Readonly<{
    messageId: string;
    number: number;
    /** Empty where the message is of another kind and has no caption. */
    text: string;
    /** Absent: `text`. */
    kind?: MessageKind;
    mentions?: readonly string[];
    notify?: 'all';
    /** The message that it answers. */
    replyTo?: string;
    /** JSON of what else it holds: see `contentOf`. */
    content?: string;
    /** Of a message that was passed on: whose words they are, and how often that was done. */
    author?: string;
    forwards?: number;
    /** Of a reply in a thread: the message that it hangs on, and who said that. */
    thread?: string;
    threadBy?: string;
    /** Absent: as urgent as most. */
    priority?: 'high' | 'low';
  }>;
  'message.edited': Readonly<{
    messageId: string;
    messageSeq: number;
    text: string;
    mentions?: readonly string[];
    notify?: 'all';
    content?: string;
  }>;
  'message.deleted': Readonly<{ messageId: string; messageSeq: number }>;
  'message.pinned': Readonly<{ messageId: string; messageSeq: number }>;
  'message.unpinned': Readonly<{ messageId: string; messageSeq: number }>;
  'conversation.started': Readonly<{ kind: ConversationKind; name?: string }>;
  'conversation.renamed': Readonly<{ name: string }>;
  'members.added': Readonly<{ members: readonly string[]; role: Role }>;
  'member.removed': Readonly<{ userId: string }>;
  'member.left': Readonly<{ userId: string }>;
  'role.changed': Readonly<{ userId: string; role: Role }>;
  'broadcast.followed': Readonly<{ userId: string }>;
  'broadcast.unfollowed': Readonly<{ userId: string }>;
};

/** What a message said from a time on. */
export type MessageVersion = Readonly<{ seq: number; at: string; text: string; content?: string }>;

/** Between two, among members, or from admins to an audience. */
export type ConversationKind = 'direct' | 'group' | 'broadcast';
/** What a member may do. */
export type Role = 'owner' | 'admin' | 'member';
/** The dotted name of a fact. */
export type FactType = keyof FactData;

/** Every type of fact there is. */
export const FACT_TYPES = [
  'message.sent',
  'message.edited',
  'message.deleted',
  'message.pinned',
  'message.unpinned',
  'conversation.started',
  'conversation.renamed',
  'members.added',
  'member.removed',
  'member.left',
  'role.changed',
  'broadcast.followed',
  'broadcast.unfollowed',
] as const satisfies readonly FactType[];

/** What lets a client check a fact for itself; hashes are SHA-256 in hex, the salt is base64. */
export type Proof = Readonly<{
  /** The link of the fact before it in the conversation; empty for the first. */
  prev: string;
  /** What the personal fields commit to; it stays when they are erased. */
  commit?: string;
  /** Gone with the personal fields. */
  salt?: string;
  /** The other data as it was written, where that was an older version of the event. */
  written?: Readonly<Record<string, unknown>>;
}>;

/** Something that happened in a conversation. */
export type FactOf<Type extends FactType> = Readonly<{
  v: 1;
  id: string;
  type: Type;
  conversationId: string;
  /** Place in the conversation; -1 for a fact outside its order. */
  seq: number;
  /** Place in the log, a decimal string. */
  position: string;
  at: string;
  actor: string;
  data: FactData[Type];
  correlationId: string;
  causationId: string;
  /** The id of the command it came from. */
  clientId: string;
  /** Of a message read from history that was edited: what it says now. */
  now?: MessageVersion;
  /** Nothing is shown any more of what the message said. */
  deleted?: true;
  /** Of a message read from history that somebody has reacted to. */
  reactions?: Reactions;
  /** Of a message read from history on which a thread hangs. */
  thread?: Thread;
  /** One deleted it for oneself: nothing is shown of what it said. */
  hidden?: true;
  /** Absent outside a conversation's order, and in logs from before there were proofs. */
  proof?: Proof;
}>;
/** Any fact; `type` tells which. */
export type Fact = { [Type in FactType]: FactOf<Type> }[FactType];

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

/** A thread, beside the message that it hangs on. */
export type Thread = Readonly<{
  replies: number;
  last: Readonly<{ messageId: string; seq: number; by: string; at: string }>;
  /** Up to three people, the last to reply first. */
  repliers: readonly string[];
}>;

/** How often each emoji was chosen, the most frequent first, and one's own. */
export type Reactions = Readonly<{
  counts: readonly Readonly<{ emoji: string; count: number }>[];
  mine?: string;
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
export type Member = Readonly<{ userId: string; role: Role | 'follower'; joinedAt: string }>;

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
