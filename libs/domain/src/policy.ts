import { ReleaseClaim } from './claim/decide.js';
import type { Command, CommandMeta, Recorded } from './decider.js';
import type { ScriptaEvent } from './events.js';

/** Work over several streams: what a fact asks for, in order. Pure; a repeat changes nothing. */
export type Policy = Readonly<{
  name: string;
  streams: readonly string[];
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
