import type { PageOf, Positioned } from './protocol.js';
import type { Query, Rest } from './rest.js';

/** A link into a group; `token` is what people come in by. */
export type Invite = Readonly<{
  inviteId: string;
  token: string;
  by: string;
  at: string;
  expiresAt?: string;
  uses?: number;
  used: number;
  approval: boolean;
  revoked?: true;
}>;

/** What a link or a public group shows to who is not in it. */
export type GroupPreview = Readonly<{
  conversationId: string;
  name?: string;
  image?: string;
  members: number;
  /** Who comes waits until somebody lets them in. */
  approval: boolean;
}>;

/** Somebody at the door of a group: who asks, or was asked. */
export type Waiting = Readonly<{
  conversationId: string;
  userId: string;
  kind: 'request' | 'invitation';
  by: string;
  at: string;
}>;

/** How people come into groups: by links, by asking, by being asked, through an open door. */
export class Joining {
  constructor(private readonly rest: Rest) {}

  /** Who finds a group, who waits for an approval, what newcomers read. */
  change(
    conversationId: string,
    change: Readonly<{
      access?: 'public' | 'private';
      approval?: boolean;
      history?: 'joined' | 'all';
    }>,
  ): Promise<Positioned> {
    return this.rest.send('PATCH', `/v1/conversations/${conversationId}/joining`, change);
  }

  /** Makes a link. */
  async invite(
    conversationId: string,
    terms: Readonly<{ expiresAt?: string; uses?: number; approval?: boolean }> = {},
  ): Promise<Invite> {
    const path = `/v1/conversations/${conversationId}/invites`;
    const made = await this.rest.send<Positioned & Readonly<{ inviteId: string }>>(
      'POST',
      path,
      terms,
    );
    const links = await this.invites(conversationId, { minPosition: made.position });
    const link = links.find(({ inviteId }) => inviteId === made.inviteId);
    if (!link) throw new Error('The server does not list the link that it has made.');
    return link;
  }

  /** Links of a group, the newest first. */
  async invites(conversationId: string, query: Query = {}): Promise<readonly Invite[]> {
    const path = `/v1/conversations/${conversationId}/invites`;
    return (await this.rest.get<PageOf<Invite>>(path, query)).items;
  }

  revoke(conversationId: string, inviteId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/conversations/${conversationId}/invites/${inviteId}`);
  }

  /** What a link leads to; looking changes nothing. */
  preview(token: string, query: Query = {}): Promise<GroupPreview> {
    return this.rest.get(`/v1/invites/${token}`, query);
  }

  /** Comes in by a link, or asks to. */
  byInvite(token: string): Promise<Positioned & Readonly<{ conversationId: string }>> {
    return this.rest.send('POST', `/v1/invites/${token}/join`, {});
  }

  /** Comes into a public group, or asks to. */
  join(conversationId: string): Promise<Positioned> {
    return this.rest.send('POST', `/v1/conversations/${conversationId}/join`, {});
  }

  /** Who asks to come in, and who was asked to. */
  async waiting(conversationId: string, query: Query = {}): Promise<readonly Waiting[]> {
    const path = `/v1/conversations/${conversationId}/waiting`;
    return (await this.rest.get<PageOf<Waiting>>(path, query)).items;
  }

  /** Where one was invited, and where one asks to come in. */
  async own(query: Query = {}): Promise<readonly Waiting[]> {
    return (await this.rest.get<PageOf<Waiting>>('/v1/me/waiting', query)).items;
  }

  approve(conversationId: string, userId: string): Promise<Positioned> {
    return this.rest.send('PUT', `/v1/conversations/${conversationId}/requests/${userId}`);
  }

  /** Does not let somebody in; of oneself: asks no longer. */
  endRequest(conversationId: string, userId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/conversations/${conversationId}/requests/${userId}`);
  }

  accept(conversationId: string): Promise<Positioned> {
    return this.rest.send('POST', `/v1/conversations/${conversationId}/invitation/accept`, {});
  }

  /** Invites somebody no longer; of oneself: does not come. */
  endInvitation(conversationId: string, userId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/conversations/${conversationId}/invitations/${userId}`);
  }
}
