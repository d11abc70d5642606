import { Command, stampOf, type Decider } from '../decider.js';
import type { AudienceEvent } from './events.js';
import { evolve, initial, snapshots, type Audience } from './evolve.js';

/** Hear a broadcast from now on. */
export class FollowBroadcast extends Command<'FollowBroadcast', { conversationId: string }> {
  readonly type = 'FollowBroadcast';
}
/** Hear it no longer. */
export class UnfollowBroadcast extends Command<'UnfollowBroadcast', { conversationId: string }> {
  readonly type = 'UnfollowBroadcast';
}

/** A wish about one's place in an audience. Following twice is following. */
export type AudienceCommand = FollowBroadcast | UnfollowBroadcast;

const decide = ({ type, data, meta }: AudienceCommand, state: Audience): AudienceEvent[] => {
  const { conversationId } = data;
  const fact = { ...stampOf(meta), conversationId, userId: meta.actor };
  const follows = state.followers.has(meta.actor);
  switch (type) {
    case 'FollowBroadcast':
      return follows ? [] : [{ type: 'BroadcastFollowed', data: fact }];
    case 'UnfollowBroadcast':
      return follows ? [{ type: 'BroadcastUnfollowed', data: fact }] : [];
  }
};

/** The consistency boundary of one broadcast's audience. */
export const audience: Decider<Audience, AudienceCommand, AudienceEvent> = {
  name: 'audience',
  streamOf: (command) => `audience-${command.data.conversationId}`,
  initial,
  decide,
  evolve,
  snapshots,
};
