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
  'members.added': Readonly<{
    members: readonly string[];
    role: Role;
    via?: 'link' | 'public' | 'request' | 'invitation';
    inviteId?: string;
    invitedBy?: string;
    /** They read what was said before, too. */
    history?: 'all';
  }>;
  'joining.changed': Readonly<{
    access?: 'public' | 'private';
    approval?: 'yes' | 'no';
    history?: 'joined' | 'all';
  }>;
  'invite.created': Readonly<{
    inviteId: string;
    expiresAt?: string;
    uses?: number;
    approval: 'yes' | 'no';
  }>;
  'invite.revoked': Readonly<{ inviteId: string }>;
  'join.requested': Readonly<{ userId: string; inviteId?: string }>;
  'join.request.ended': Readonly<{ userId: string; outcome: 'refused' | 'withdrawn' }>;
  'member.invited': Readonly<{ userId: string }>;
  'invitation.ended': Readonly<{ userId: string; outcome: 'declined' | 'withdrawn' }>;
  'member.removed': Readonly<{ userId: string }>;
  'member.left': Readonly<{ userId: string }>;
  'role.changed': Readonly<{ userId: string; role: Role }>;
  'member.banned': Readonly<{ userId: string; until?: string; wasIn: 'yes' | 'no' }>;
  'member.unbanned': Readonly<{ userId: string }>;
  'conversation.described': Readonly<{ description?: string; image?: string }>;
  'permissions.changed': Partial<Permissions>;
  'pace.changed': Readonly<{ slowModeS?: number; perMinute?: number }>;
  'conversation.deleted': Readonly<{ history: 'kept' | 'closed' }>;
  'members.dismissed': Readonly<{ members: readonly string[]; history: 'kept' | 'closed' }>;
  'broadcast.followed': Readonly<{ userId: string }>;
  'broadcast.unfollowed': Readonly<{ userId: string }>;
};

/** What a message said from a time on. */
export type MessageVersion = Readonly<{ seq: number; at: string; text: string; content?: string }>;

/** Between two, among members, or from admins to an audience. */
export type ConversationKind = 'direct' | 'group' | 'broadcast';
/** What a member may do. */
export type Role = 'owner' | 'admin' | 'moderator' | 'member';
/** What members do. */
export type Action =
  | 'send'
  | 'media'
  | 'mention_all'
  | 'pin'
  | 'invite'
  | 'add'
  | 'remove'
  | 'ban'
  | 'delete_others'
  | 'info'
  | 'roles'
  | 'configure';
/** The least role for each thing. */
export type Permissions = Readonly<Record<Action, Role>>;
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
  'joining.changed',
  'invite.created',
  'invite.revoked',
  'join.requested',
  'join.request.ended',
  'member.invited',
  'invitation.ended',
  'member.removed',
  'member.left',
  'role.changed',
  'member.banned',
  'member.unbanned',
  'conversation.described',
  'permissions.changed',
  'pace.changed',
  'conversation.deleted',
  'members.dismissed',
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
