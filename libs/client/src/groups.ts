import type { Entering } from './messages.js';
import type { Accepted, FormerMember, PageOf, Permissions, Role } from './protocol.js';
import type { Query, Rest } from './rest.js';

/** What a group says about itself; an empty text takes it away. */
export type GroupDescription = Readonly<{ name?: string; description?: string; image?: string }>;

/** How a group is looked after: who may do what, who may not come back, its pace, its end. */
export class Groups {
  constructor(
    private readonly rest: Rest,
    private readonly outbox: Entering,
  ) {}

  /** Another name, description or picture. */
  change(conversationId: string, description: GroupDescription): Promise<Accepted> {
    return this.outbox.enter('conversation.change', { conversationId, ...description });
  }

  /** Makes a member an admin, a moderator or a mere member. */
  changeRole(
    conversationId: string,
    userId: string,
    role: Exclude<Role, 'owner'>,
  ): Promise<Accepted> {
    return this.outbox.enter('role.change', { conversationId, userId, role });
  }

  /** Makes another member the owner; one stays an admin. */
  transferOwnership(conversationId: string, userId: string): Promise<Accepted> {
    return this.outbox.enter('ownership.transfer', { conversationId, userId });
  }

  /** Takes somebody out; they do not come back before a time, or ever. */
  ban(conversationId: string, userId: string, until?: Date): Promise<Accepted> {
    const end = until ? { until: until.toISOString() } : {};
    return this.outbox.enter('member.ban', { conversationId, userId, ...end });
  }

  unban(conversationId: string, userId: string): Promise<Accepted> {
    return this.outbox.enter('member.unban', { conversationId, userId });
  }

  /** The least role for everything that members do. */
  permissions(conversationId: string, query: Query = {}): Promise<Permissions> {
    return this.rest.get(`/v1/conversations/${conversationId}/permissions`, query);
  }

  changePermissions(conversationId: string, permissions: Partial<Permissions>): Promise<Accepted> {
    return this.outbox.enter('permissions.change', { conversationId, permissions });
  }

  /** Seconds that each member waits after a message, and messages of all in a minute; 0: no limit. */
  changePace(
    conversationId: string,
    pace: Readonly<{ slowModeS?: number; perMinute?: number }>,
  ): Promise<Accepted> {
    return this.outbox.enter('pace.change', { conversationId, ...pace });
  }

  /** Ends a group for all. Its history stays with who was in it, or is closed to all. */
  delete(conversationId: string, history: 'kept' | 'closed' = 'kept'): Promise<Accepted> {
    return this.outbox.enter('conversation.delete', { conversationId, history });
  }

  /** A page of those who were in it or are banned, for who looks after it. */
  former(conversationId: string, query: Query = {}): Promise<PageOf<FormerMember>> {
    const path = `/v1/conversations/${conversationId}/members`;
    return this.rest.get(path, { ...query, status: 'past' });
  }
}
