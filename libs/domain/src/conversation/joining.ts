import type { ACCESSES, HISTORIES } from './joining-events.js';

/** A link, as far as it still lets people in. */
export type Invite = Readonly<{ expiresAt?: number; left?: number; approval: boolean }>;

/** How people come in; bounded by the limits of the rules. */
export type Joining = {
  access: (typeof ACCESSES)[number];
  approval: boolean;
  history: (typeof HISTORIES)[number];
  invites: Map<string, Invite>;
  requests: Set<string>;
  /** Who was invited, and by whom. */
  invited: Map<string, string>;
};

export const closedJoining = (): Joining => ({
  access: 'private',
  approval: false,
  history: 'joined',
  invites: new Map(),
  requests: new Set(),
  invited: new Map(),
});

/** People have come in, by a link or otherwise. */
export const cameIn = (
  joining: Joining,
  members: readonly string[],
  inviteId: string | undefined,
): void => {
  for (const userId of members) {
    joining.requests.delete(userId);
    joining.invited.delete(userId);
  }
  const invite = inviteId === undefined ? undefined : joining.invites.get(inviteId);
  if (inviteId === undefined || invite?.left === undefined) return;
  if (invite.left <= 1) joining.invites.delete(inviteId);
  else joining.invites.set(inviteId, { ...invite, left: invite.left - 1 });
};

/** A link was made; those that are over make room. */
export const inviteMade = (
  { invites }: Joining,
  data: Readonly<{
    inviteId: string;
    at: string;
    expiresAt?: string;
    uses?: number;
    approval: 'yes' | 'no';
  }>,
): void => {
  const now = Date.parse(data.at);
  for (const [id, { expiresAt = Infinity }] of invites) if (expiresAt <= now) invites.delete(id);
  invites.set(data.inviteId, {
    approval: data.approval === 'yes',
    ...(data.expiresAt === undefined ? {} : { expiresAt: Date.parse(data.expiresAt) }),
    ...(data.uses === undefined ? {} : { left: data.uses }),
  });
};

/** A snapshot's form of it. */
export type FrozenJoining = Omit<Joining, 'invites' | 'requests' | 'invited'> & {
  invites: [string, Invite][];
  requests: string[];
  invited: [string, string][];
};

export const frozenJoining = (joining: Joining): FrozenJoining => ({
  ...joining,
  invites: [...joining.invites],
  requests: [...joining.requests],
  invited: [...joining.invited],
});

export const thawedJoining = (frozen: FrozenJoining): Joining => ({
  ...frozen,
  invites: new Map(frozen.invites),
  requests: new Set(frozen.requests),
  invited: new Map(frozen.invited),
});
