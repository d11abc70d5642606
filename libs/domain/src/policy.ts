import type { ClaimCommand } from './claim/decide.js';
import { ReleaseClaim } from './claim/decide.js';
import type { CommandMeta, Recorded } from './decider.js';
import type { ScriptaEvent } from './events.js';

/** Work over several streams: what a fact asks for, in order. Pure; a repeat changes nothing. */
export type Policy = Readonly<{
  name: string;
  streams: readonly string[];
  /** `meta(index)` makes the meta of the index-th command: its id is UUIDv5(event id, index). */
  react: (
    event: Recorded<ScriptaEvent>,
    meta: (index: number) => CommandMeta,
  ) => readonly ClaimCommand[];
}>;

/** A username that was changed is free for others. */
export const releaseFormerUsername: Policy = {
  name: 'release-former-username',
  streams: ['user-'],
  react: ({ type, data }, meta) =>
    type === 'UsernameChosen' && data.previousClaim !== undefined
      ? [new ReleaseClaim({ claim: data.previousClaim, holder: data.userId }, meta(0))]
      : [],
};
