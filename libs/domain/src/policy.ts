import { ReleaseClaim } from './claim/decide.js';
import { CancelSchedules } from './own/schedule-commands.js';
import type { Command, CommandMeta, Recorded } from './decider.js';
import type { ScriptaEvent } from './events.js';

/** Work over several streams: what a fact asks for, in order. Pure; a repeat changes nothing. */
export type Policy = Readonly<{
  name: string;
  streams: readonly string[];
  /** The only types of events that it reacts to, where they are few among many; else all. */
  types?: ReadonlySet<ScriptaEvent['type']>;
  /** `meta(index)` makes the meta of the index-th command: its id is UUIDv5(event id, index). */
  react: (
    event: Recorded<ScriptaEvent>,
    meta: (index: number) => CommandMeta,
  ) => readonly Command[];
}>;

/** Claims that a fact leaves behind. */
const leftBy = ({ type, data }: ScriptaEvent): readonly (string | undefined)[] => {
  switch (type) {
    case 'UsernameChosen':
    case 'PhoneChanged':
      return [data.previousClaim];
    case 'AccountDeleted':
      return [data.phoneClaim, data.usernameClaim];
    default:
      return [];
  }
};

/** A username or number that somebody has left is free for others. */
export const releaseClaims: Policy = {
  name: 'release-claims',
  streams: ['user-'],
  react: (event, meta) =>
    leftBy(event).flatMap((claim, index) =>
      claim === undefined || !('userId' in event.data)
        ? []
        : [
            new ReleaseClaim(
              { claim, holder: event.data.userId, leftAt: event.revision },
              meta(index),
            ),
          ],
    ),
};

/** What somebody has scheduled in a conversation is not said there once they have left it. */
export const cancelSchedules: Policy = {
  name: 'cancel-schedules',
  streams: ['conversation-'],
  types: new Set(['MemberLeft', 'MemberRemoved']),
  react: ({ type, data }, meta) =>
    type === 'MemberLeft' || type === 'MemberRemoved'
      ? [new CancelSchedules({ userId: data.userId, conversationId: data.conversationId }, meta(0))]
      : [],
};
