import { Inject, Injectable } from '@nestjs/common';
import { Invites, PORTS, type Ports } from '#commands';
import {
  isAtLeast,
  memberKey,
  permissionsOf,
  reject,
  type ConversationView,
  type InviteView,
  type MemberView,
  type WaitingView,
} from '#domain';
import { QUERIES, type Stored } from '#platform';

/** A link, as those who may invite see it. */
export type InviteItem = Readonly<Omit<InviteView, 'conversationId'>> &
  Readonly<{ inviteId: string; token: string }>;

/** What a link or a public group shows to who is not in it: no person, nothing that was said. */
export type Preview = Readonly<{
  conversationId: string;
  name?: string;
  image?: string;
  members: number;
  approval: boolean;
}>;

const closed = (): never => reject('not_found', 'This link is not valid, or not any more.');
const unknown = (): never =>
  reject('not_found', 'There is no such conversation, or you are not in it.');

const previewOf = (
  { _id, name, image, members, approval = false }: Stored<ConversationView>,
  asks = approval,
): Preview => ({
  conversationId: _id,
  ...(name === undefined ? {} : { name }),
  ...(image === undefined || image === '' ? {} : { image }),
  members,
  approval: asks,
});

/** Links into groups, and people at their doors. */
@Injectable()
export class Joining {
  readonly #invites: Invites;

  constructor(@Inject(PORTS) private readonly ports: Ports) {
    this.#invites = new Invites(ports.keys);
  }

  /** Links of a group, the newest first; for those who may invite. */
  async invites(userId: string, conversationId: string): Promise<readonly InviteItem[]> {
    await this.#mustBeAllowed(userId, conversationId, 'invite');
    const { view, ...asked } = QUERIES.invitesOf(conversationId);
    const found = await this.ports.views.find<Stored<InviteView>>(view, asked);
    return found.map(({ _id: inviteId, position: _position, conversationId: _id, ...invite }) => ({
      inviteId,
      token: this.#invites.tokenOf({ conversationId, inviteId }),
      ...invite,
    }));
  }

  /** What a link leads to; looking changes nothing. */
  async preview(token: string): Promise<Preview> {
    const { conversationId, inviteId } = this.#invites.read(token);
    const { views, clock } = this.ports;
    const [invite] = await views.get<InviteView>('invites', [inviteId]);
    const [view] = await views.get<ConversationView>('conversations', [conversationId]);
    if (!invite || !view || view.deleted || invite.revoked) return closed();
    const isOver = invite.expiresAt !== undefined && invite.expiresAt <= clock.iso();
    if (isOver || invite.used >= (invite.uses ?? Infinity)) return closed();
    return previewOf(view, invite.approval);
  }

  /** What a public group shows; others are as if they were not there. */
  async publicPreview(conversationId: string): Promise<Preview> {
    const [view] = await this.ports.views.get<ConversationView>('conversations', [conversationId]);
    return view?.access === 'public' && !view.deleted ? previewOf(view) : unknown();
  }

  /** Who asks to come in, or was asked to; for those who may add people. */
  async waiting(userId: string, conversationId: string): Promise<readonly WaitingView[]> {
    await this.#mustBeAllowed(userId, conversationId, 'add');
    return this.#waiting(QUERIES.waitingIn(conversationId));
  }

  /** Where a person was invited, and where they ask to come in, the newest first. */
  async own(userId: string): Promise<readonly WaitingView[]> {
    return this.#waiting(QUERIES.waitingOf(userId));
  }

  async #waiting({
    view,
    ...asked
  }: ReturnType<typeof QUERIES.waitingIn> | ReturnType<typeof QUERIES.waitingOf>) {
    const found = await this.ports.views.find<Stored<WaitingView>>(view, asked);
    return found.map(({ _id, position: _position, ...one }) => one);
  }

  async #mustBeAllowed(userId: string, conversationId: string, action: 'invite' | 'add') {
    const { views } = this.ports;
    const key = memberKey(conversationId, userId);
    const [stay] = await views.get<MemberView>('members', [key]);
    const [view] = await views.get<ConversationView>('conversations', [conversationId]);
    const role = stay?.role;
    if (!view || role === undefined || role === 'follower') return unknown();
    const least = permissionsOf({ permissions: view.permissions ?? {} })[action];
    if (view.kind === 'direct' || !isAtLeast(role, least))
      reject('forbidden', `Here only ${least}s and above may do this.`, { action });
  }
}
