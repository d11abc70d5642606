import { describe, expect, it } from 'vitest';
import { after, given, metaOf, stampedBy } from '#testing';
import { audience, FollowBroadcast, UnfollowBroadcast } from './decide.js';
import type { AudienceEvent } from './events.js';
import { snapshots } from './evolve.js';

const conversationId = 'k';
const followed = (userId: string): AudienceEvent => ({
  type: 'BroadcastFollowed',
  data: { ...stampedBy(userId), conversationId, userId },
});
const unfollowed = (userId: string): AudienceEvent => ({
  type: 'BroadcastUnfollowed',
  data: { ...stampedBy(userId), conversationId, userId },
});
const follow = (actor: string) => new FollowBroadcast({ conversationId }, metaOf(actor));
const unfollow = (actor: string) => new UnfollowBroadcast({ conversationId }, metaOf(actor));

describe('An audience', () => {
  it('is joined by who follows, once', () => {
    given(audience)().when(follow('ada')).appends(followed('ada'));
    given(audience)(followed('ada')).when(follow('bob')).appends(followed('bob'));
    given(audience)(followed('ada')).when(follow('ada')).appends();
  });
  it('is left by who unfollows, once', () => {
    given(audience)(followed('ada')).when(unfollow('ada')).appends(unfollowed('ada'));
    given(audience)(followed('ada'), unfollowed('ada')).when(unfollow('ada')).appends();
    given(audience)().when(unfollow('ada')).appends();
  });
  it('is joined again', () =>
    given(audience)(followed('ada'), unfollowed('ada'))
      .when(follow('ada'))
      .appends(followed('ada')));
  it('is apart from the conversation, so that followers never slow its messages', () =>
    expect(audience.streamOf(follow('ada'))).toBe('audience-k'));
  it('is the same through a snapshot', () => {
    const state = after(audience, followed('ada'), followed('bob'), unfollowed('ada'));
    const thawed = snapshots.thaw(JSON.parse(JSON.stringify(snapshots.freeze(state))));
    expect(thawed).toEqual({ followers: new Set(['bob']) });
  });
});
