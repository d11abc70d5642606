import { factOf, type Fact, type HeardEvent, type Recorded, type ScriptaEvent } from '#domain';

/**
 * What an event means to those who listen: who enters the conversation's room before the fact is
 * told, whom it is told, and who leaves after.
 */
export type Delivery = Readonly<{
  conversationId: string;
  fact: Fact;
  /** People who enter before they are told. */
  enter: readonly string[];
  /** Those who enter (or leave) do so as followers of a broadcast, not as members. */
  following: boolean;
  /** Everyone in the room, or only these people. */
  audience: 'room' | readonly string[];
  /** People who leave once they have been told. */
  exit: readonly string[];
}>;

const NOBODY: readonly string[] = [];

const isHeard = (event: Recorded<ScriptaEvent>): event is Recorded<HeardEvent> =>
  event.stream.startsWith('conversation-') || event.stream.startsWith('audience-');

const toRoom = (
  event: Recorded<HeardEvent>,
  moves: Partial<Pick<Delivery, 'enter' | 'exit'>> = {},
): Delivery => ({
  conversationId: event.data.conversationId,
  fact: factOf(event),
  enter: NOBODY,
  following: false,
  audience: 'room',
  exit: NOBODY,
  ...moves,
});

/** The delivery of an event; nothing for events that no member hears of. */
export const deliveriesOf = (event: Recorded<ScriptaEvent>): Delivery | undefined => {
  if (!isHeard(event)) return undefined;
  switch (event.type) {
    case 'ConversationStarted':
      return toRoom(event, { enter: [event.data.by] });
    case 'MembersAdded':
      return toRoom(event, { enter: event.data.members });
    case 'MembersDismissed':
      return toRoom(event, { exit: event.data.members });
    case 'MemberBanned':
    case 'MemberRemoved':
    case 'MemberLeft':
      return toRoom(event, { exit: [event.data.userId] });
    case 'BroadcastFollowed':
      return ofFollower(event, { enter: [event.data.userId] });
    case 'BroadcastUnfollowed':
      return ofFollower(event, { exit: [event.data.userId] });
    default:
      return toRoom(event);
  }
};

/** An audience may be a million: who comes and goes is told only to their own devices. */
const ofFollower = (
  event: Recorded<Extract<HeardEvent, { type: `Broadcast${string}` }>>,
  moves: Partial<Pick<Delivery, 'enter' | 'exit'>>,
): Delivery => ({ ...toRoom(event, moves), following: true, audience: [event.data.userId] });

/** Whether a fact that a page holds is for this person: an audience's facts are for its subject. */
export const isFor = (fact: Pick<Fact, 'seq' | 'data'>, userId: string): boolean =>
  fact.seq >= 0 || fact.data['userId'] === userId;
