import type { Role } from '../conversation/roles.js';
import type { Recorded } from '../decider.js';
import type { HeardEvent } from '../facts.js';
import type { Projection } from '../projection.js';

/**
 * What one may read of a conversation, as log positions, both inclusive; open while one is in it.
 * `since`: where the stay began, if what was said before may be read too.
 */
export type Interval = Readonly<{ from: number; to?: number; since?: number }>;

/** Where a stay began: what was said before is not news. */
export const beginOf = ({ from, since }: Interval): number => since ?? from;

/** One person's place in one conversation; id `<conversation>:<user>`. */
export type MemberView = Readonly<{
  conversationId: string;
  userId: string;
  /** `follower` in a broadcast's audience; absent after leaving. */
  role?: Role | 'follower';
  /** How it ended; absent while it lasts. */
  status?: 'left' | 'removed' | 'banned';
  /** Of a ban for a time: when it ends. */
  bannedUntil?: string;
  addedBy: string;
  joinedAt: string;
  /** What one may read is decided at the place of the message in the log. */
  intervals: readonly Interval[];
}>;

/** The id of a member's document. */
export const memberKey = (conversationId: string, userId: string): string =>
  `${conversationId}:${userId}`;

const usersOf = (event: Recorded<HeardEvent>): readonly string[] => {
  switch (event.type) {
    case 'ConversationStarted':
      return [event.data.by];
    case 'MembersAdded':
    case 'MembersDismissed':
      return event.data.members;
    case 'MemberBanned':
    case 'MemberUnbanned':
    case 'MemberRemoved':
    case 'MemberLeft':
    case 'RoleChanged':
    case 'BroadcastFollowed':
    case 'BroadcastUnfollowed':
      return [event.data.userId];
    default:
      return [];
  }
};

/** Who reads all of it needs no earlier stay. */
const lengthened = (
  before: readonly Interval[],
  { type, data, position }: Recorded<HeardEvent>,
): readonly Interval[] =>
  type === 'MembersAdded' && data.history === 'all'
    ? [{ from: 0, since: position }]
    : [...before, { from: position }];

/** Who brought them in: whoever invited them, where they came by an invitation. */
const whoAdded = ({ type, data }: Recorded<HeardEvent>): string =>
  (type === 'MembersAdded' ? data.invitedBy : undefined) ?? data.by;

const joined = (
  before: MemberView | undefined,
  event: Recorded<HeardEvent>,
  userId: string,
  role: MemberView['role'],
): MemberView => {
  const intervals = before?.intervals ?? [];
  const stays = intervals.at(-1) !== undefined && intervals.at(-1)?.to === undefined;
  return {
    conversationId: event.data.conversationId,
    userId,
    ...(role === undefined ? {} : { role }),
    addedBy: whoAdded(event),
    joinedAt: event.data.at,
    intervals: stays ? intervals : lengthened(intervals, event),
  };
};

const gone = (
  before: MemberView | undefined,
  event: Recorded<HeardEvent>,
  status: MemberView['status'] = 'left',
): MemberView | undefined => {
  if (!before) return undefined;
  const { role: _role, intervals, ...rest } = before;
  const last = intervals.at(-1);
  return last === undefined || last.to !== undefined
    ? before
    : { ...rest, status, intervals: [...intervals.slice(0, -1), { ...last, to: event.position }] };
};

type Of<Type extends HeardEvent['type']> = Recorded<Extract<HeardEvent, { type: Type }>>;

/** Also somebody who never was in it can be banned. */
const banned = (
  before: MemberView | undefined,
  event: Of<'MemberBanned'>,
  userId: string,
): MemberView => {
  const { conversationId, by: addedBy, at: joinedAt, until } = event.data;
  const stranger: MemberView = { conversationId, userId, addedBy, joinedAt, intervals: [] };
  const { bannedUntil: _until, ...rest } = gone(before, event, 'banned') ?? stranger;
  return { ...rest, status: 'banned', ...(until === undefined ? {} : { bannedUntil: until }) };
};

const unbanned = (before: MemberView | undefined): MemberView | undefined => {
  if (before?.status !== 'banned') return before;
  const { bannedUntil: _until, ...rest } = before;
  return rest.intervals.length === 0 ? undefined : { ...rest, status: 'removed' };
};

/** Of a conversation that was closed nobody reads more than that it ended. */
const dismissed = (
  before: MemberView | undefined,
  event: Of<'MembersDismissed'>,
): MemberView | undefined => {
  const after = gone(before, event);
  if (!after || event.data.history === 'kept') return after;
  return { ...after, intervals: [{ from: event.position, to: event.position }] };
};

/** One document per member, written only by that member's own comings and goings. */
export const members: Projection<MemberView, HeardEvent> = {
  name: 'members',
  streams: ['conversation-', 'audience-'],
  indexes: [{ key: { userId: 1, conversationId: 1 } }, { key: { conversationId: 1, userId: 1 } }],
  keysOf: (event) => usersOf(event).map((userId) => memberKey(event.data.conversationId, userId)),
  evolve: (before, event, key) => {
    const userId = key.slice(key.indexOf(':') + 1);
    switch (event.type) {
      case 'ConversationStarted':
        return joined(before, event, userId, event.data.kind === 'direct' ? 'member' : 'owner');
      case 'MembersAdded':
        return joined(before, event, userId, event.data.role);
      case 'BroadcastFollowed':
        return before?.role ? before : joined(before, event, userId, 'follower');
      case 'RoleChanged':
        return before && { ...before, role: event.data.role };
      case 'BroadcastUnfollowed':
        return before?.role === 'follower' ? gone(before, event) : before;
      case 'MemberRemoved':
        return gone(before, event, 'removed');
      case 'MemberBanned':
        return banned(before, event, userId);
      case 'MemberUnbanned':
        return unbanned(before);
      case 'MembersDismissed':
        return dismissed(before, event);
      case 'MemberLeft':
        return gone(before, event);
      default:
        return before;
    }
  },
};

/** Whether a fact at a position falls within one of the stays. */
export const mayRead = (intervals: readonly Interval[], position: number): boolean =>
  intervals.some(({ from, to }) => position >= from && (to === undefined || position <= to));
