import type { ConversationEvent } from '../conversation/events.js';
import type { Projection } from '../projection.js';
import { memberKey } from './members.js';

/** A link into a group; the document's id is the invite's. */
export type InviteView = Readonly<{
  conversationId: string;
  by: string;
  at: string;
  expiresAt?: string;
  uses?: number;
  used: number;
  approval: boolean;
  revoked?: true;
}>;

/** Somebody at the door of a group: who asks, or was asked; id `<conversation>:<user>`. */
export type WaitingView = Readonly<{
  conversationId: string;
  userId: string;
  kind: 'request' | 'invitation';
  by: string;
  at: string;
}>;

/** One document per link. */
export const invites: Projection<InviteView, ConversationEvent> = {
  name: 'invites',
  streams: ['conversation-'],
  indexes: [{ key: { conversationId: 1, position: -1 } }],
  keysOf: ({ type, data }) => {
    if (type === 'InviteCreated' || type === 'InviteRevoked') return [data.inviteId];
    return type === 'MembersAdded' && data.inviteId !== undefined ? [data.inviteId] : [];
  },
  evolve: (before, { type, data }) => {
    if (type === 'InviteCreated') {
      const { conversationId, by, at, expiresAt, uses, approval } = data;
      return {
        conversationId,
        by,
        at,
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(uses === undefined ? {} : { uses }),
        used: 0,
        approval: approval === 'yes',
      };
    }
    if (!before) return undefined;
    return type === 'InviteRevoked'
      ? { ...before, revoked: true }
      : { ...before, used: before.used + 1 };
  },
};

/** One document per person who waits; none once they are in, or it is over. */
export const waiting: Projection<WaitingView, ConversationEvent> = {
  name: 'waiting',
  streams: ['conversation-'],
  indexes: [{ key: { userId: 1, position: -1 } }, { key: { conversationId: 1, userId: 1 } }],
  keysOf: ({ type, data }) => {
    switch (type) {
      case 'JoinRequested':
      case 'JoinRequestEnded':
      case 'MemberInvited':
      case 'InvitationEnded':
      case 'MemberBanned':
        return [memberKey(data.conversationId, data.userId)];
      case 'MembersAdded':
        return data.members.map((userId) => memberKey(data.conversationId, userId));
      default:
        return [];
    }
  },
  evolve: (_, { type, data }) => {
    if (type !== 'JoinRequested' && type !== 'MemberInvited') return undefined;
    const { conversationId, userId, by, at } = data;
    const kind = type === 'JoinRequested' ? 'request' : 'invitation';
    return { conversationId, userId, kind, by, at };
  },
};
