import { freezeOutboxes, remember, type Outbox, type Outboxes } from '../outbox.js';
import type { Snapshots } from '../decider.js';
import type { ConversationEvent, ConversationKind, Role } from './events.js';

/** Latest messages kept in the state: who is told of a read mark, and the number at a seq. */
export const RECENT_MESSAGES_MAX = 64;

/** A message that a mark may still point at. */
export type RecentMessage = Readonly<{ seq: number; number: number; by: string }>;

/** Only what a decision needs. */
export type Conversation = {
  kind: ConversationKind | undefined;
  /** Revision of the last event; -1 before the first. */
  head: number;
  /** Messages so far. */
  number: number;
  /** Role by user id, in the order of joining. */
  members: Map<string, Role>;
  outboxes: Outboxes;
  /** Oldest first. */
  recent: RecentMessage[];
};

export const initial = (): Conversation => ({
  kind: undefined,
  head: -1,
  number: 0,
  members: new Map(),
  outboxes: new Map(),
  recent: [],
});

const apply = (state: Conversation, { type, data }: ConversationEvent, revision: number): void => {
  switch (type) {
    case 'ConversationStarted':
      state.kind = data.kind;
      state.members.set(data.by, data.kind === 'direct' ? 'member' : 'owner');
      return;
    case 'MembersAdded':
      for (const userId of data.members) state.members.set(userId, data.role);
      return;
    case 'MemberRemoved':
    case 'MemberLeft':
      state.members.delete(data.userId);
      return;
    case 'RoleChanged':
      state.members.set(data.userId, data.role);
      return;
    case 'ConversationRenamed':
      return;
    case 'MessageSent':
      state.number = data.number;
      state.recent.push({ seq: revision, number: data.number, by: data.by });
      if (state.recent.length > RECENT_MESSAGES_MAX) state.recent.shift();
  }
};

export const evolve = (
  state: Conversation,
  event: ConversationEvent,
  revision: number,
): Conversation => {
  apply(state, event, revision);
  state.head = revision;
  remember(state.outboxes, event.data.origin, revision);
  return state;
};

type Frozen = Omit<Conversation, 'members' | 'outboxes'> & {
  members: [string, Role][];
  outboxes: [string, Outbox][];
};

export const snapshots: Snapshots<Conversation> = {
  version: 1,
  freeze: (state) => ({
    ...state,
    members: [...state.members],
    outboxes: freezeOutboxes(state.outboxes),
  }),
  thaw: (frozen) => {
    // A snapshot of this version was written by `freeze` above; others are never thawed.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { members, outboxes, ...rest } = frozen as Frozen;
    return { ...rest, members: new Map(members), outboxes: new Map(outboxes) };
  },
};
