import type { AudienceEvent } from './audience/events.js';
import type { ConversationEvent } from './conversation/events.js';
import type { Proof, Recorded } from './decider.js';

/** A fact of a conversation as clients know it: socket event, webhook type and push type. */
export type Fact = Readonly<{
  v: 1;
  /** The event's id; for a message also the message's. */
  id: string;
  type: FactType;
  conversationId: string;
  /** Place in the conversation; -1 for a fact outside its order (an audience's). */
  seq: number;
  /** Place in the log, a decimal string. */
  position: string;
  at: string;
  actor: string;
  data: Readonly<Record<string, unknown>>;
  correlationId: string;
  causationId: string;
  /** The id of the command, so that the sender's own device knows its message again. */
  clientId: string;
  /** For the client's own check of text and order; absent outside a conversation's order. */
  proof?: Proof;
}>;

/** Events that members of a conversation hear of. */
export type HeardEvent = ConversationEvent | AudienceEvent;

/** The wire's name of each fact. */
export const FACT_TYPES = {
  ConversationStarted: 'conversation.started',
  MembersAdded: 'members.added',
  MemberRemoved: 'member.removed',
  MemberLeft: 'member.left',
  RoleChanged: 'role.changed',
  MemberBanned: 'member.banned',
  MemberUnbanned: 'member.unbanned',
  JoiningChanged: 'joining.changed',
  InviteCreated: 'invite.created',
  InviteRevoked: 'invite.revoked',
  JoinRequested: 'join.requested',
  JoinRequestEnded: 'join.request.ended',
  MemberInvited: 'member.invited',
  InvitationEnded: 'invitation.ended',
  ConversationRenamed: 'conversation.renamed',
  ConversationDescribed: 'conversation.described',
  PermissionsChanged: 'permissions.changed',
  PaceChanged: 'pace.changed',
  ConversationDeleted: 'conversation.deleted',
  MembersDismissed: 'members.dismissed',
  MessageSent: 'message.sent',
  MessageEdited: 'message.edited',
  MessageDeleted: 'message.deleted',
  MessagePinned: 'message.pinned',
  MessageUnpinned: 'message.unpinned',
  BroadcastFollowed: 'broadcast.followed',
  BroadcastUnfollowed: 'broadcast.unfollowed',
} as const satisfies Record<HeardEvent['type'], string>;

/** The dotted past-tense name of a fact. */
export type FactType = (typeof FACT_TYPES)[HeardEvent['type']];

/** The fact that an event is to clients: the event's own data without its stamp. */
export const factOf = (event: Recorded<HeardEvent>): Fact => {
  const { by, at, origin, conversationId, ...data } = event.data;
  return {
    v: 1,
    id: event.id,
    type: FACT_TYPES[event.type],
    conversationId,
    seq: event.stream.startsWith('conversation-') ? event.revision : -1,
    position: String(event.position),
    at,
    actor: by,
    data,
    correlationId: event.correlationId,
    causationId: event.causationId,
    clientId: origin.command,
    ...(event.proof ? { proof: event.proof } : {}),
  };
};
