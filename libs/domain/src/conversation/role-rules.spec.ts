import { describe, it } from 'vitest';
import { AT, given, metaOf, stampedBy } from '#testing';
import { conversation } from './decide.js';
import type { ConversationEvent } from './events.js';
import { AddMembers, LeaveConversation, RemoveMember } from './commands.js';
import {
  BanMember,
  ChangePace,
  ChangePermissions,
  ChangeRole,
  DeleteConversation,
  DescribeConversation,
  TransferOwnership,
  UnbanMember,
} from './group-commands.js';
import { SendMessage } from './message-commands.js';
import { BANS_MAX } from './role-rules.js';
import type { Role } from './roles.js';

const conversationId = 'k';
const about = (by: string) => ({ ...stampedBy(by), conversationId });
const later = (ms: number): string => new Date(Date.parse(AT) + ms).toISOString();
const started: ConversationEvent = {
  type: 'ConversationStarted',
  data: { ...about('ada'), kind: 'group' },
};
const added = (...members: readonly string[]): ConversationEvent => ({
  type: 'MembersAdded',
  data: { ...about('ada'), members, role: 'member' },
});
const promoted = (userId: string, role: Role, by = 'ada'): ConversationEvent => ({
  type: 'RoleChanged',
  data: { ...about(by), userId, role },
});
const banned = (userId: string, until?: string): ConversationEvent => ({
  type: 'MemberBanned',
  data: { ...about('ada'), userId, wasIn: 'yes', ...(until === undefined ? {} : { until }) },
});
const group = [
  started,
  added('bob', 'eve', 'zoe'),
  promoted('bob', 'admin'),
  promoted('eve', 'moderator'),
];
const role = (actor: string, userId: string, to: Exclude<Role, 'owner'>) =>
  new ChangeRole({ conversationId, userId, role: to }, metaOf(actor));
const ban = (actor: string, userId: string, until?: string) =>
  new BanMember({ conversationId, userId, until }, metaOf(actor));
const send = (actor: string, at = AT) =>
  new SendMessage({ conversationId, text: 'hi' }, metaOf(actor, { at }));
const said = (by: string, number: number, at = AT): ConversationEvent => ({
  type: 'MessageSent',
  data: { ...about(by), at, messageId: 'event-1', number, text: 'hi' },
});

const hand = (actor: string, userId: string) =>
  new TransferOwnership({ conversationId, userId }, metaOf(actor));
const permit = (actor: string, permissions: object) =>
  new ChangePermissions({ conversationId, permissions }, metaOf(actor));
const remove = (actor: string, userId: string) =>
  new RemoveMember({ conversationId, userId }, metaOf(actor));
const add = (at: string) =>
  new AddMembers({ conversationId, members: ['zoe'] }, metaOf('ada', { at }));
const paced = (pace: object): ConversationEvent => ({
  type: 'PaceChanged',
  data: { ...about('ada'), ...pace },
});
const change = (actor: string) => new ChangePace({ conversationId, slowModeS: 5 }, metaOf(actor));
const end = (actor: string) =>
  new DeleteConversation({ conversationId, history: 'kept' }, metaOf(actor));

describe('[F5] A role', () => {
  it('is given by admins, and once', () => {
    given(conversation)(...group)
      .when(role('bob', 'zoe', 'moderator'))
      .appends(promoted('zoe', 'moderator', 'bob'));
    given(conversation)(...group)
      .when(role('bob', 'eve', 'moderator'))
      .appends();
  });
  it('is not given by moderators, nor to owners, nor to strangers, nor above one’s own', () => {
    given(conversation)(...group)
      .when(role('eve', 'zoe', 'moderator'))
      .rejects('forbidden');
    given(conversation)(...group)
      .when(role('bob', 'ada', 'member'))
      .rejects('forbidden');
    given(conversation)(...group)
      .when(role('bob', 'mallory', 'member'))
      .rejects('not_found');
    given(conversation)(...group, {
      type: 'PermissionsChanged',
      data: { ...about('ada'), roles: 'moderator' },
    })
      .when(role('eve', 'zoe', 'admin'))
      .rejects('forbidden');
  });
  it('[V25] passes from one owner to the next in one breath', () => {
    given(conversation)(...group)
      .when(hand('ada', 'zoe'))
      .appends(promoted('zoe', 'owner'), promoted('ada', 'admin'));
    given(conversation)(...group)
      .when(hand('bob', 'bob'))
      .rejects('forbidden');
  });
  it('[V25] of a moderator is next where no admin is there to own it', () =>
    given(conversation)(started, added('zoe', 'eve'), promoted('eve', 'moderator'))
      .when(new LeaveConversation({ conversationId }, metaOf('ada')))
      .appends(
        { type: 'MemberLeft', data: { ...about('ada'), userId: 'ada' } },
        promoted('eve', 'owner'),
      ));
});

describe('[F6] The permissions', () => {
  it('are the owner’s to change, and only what changes is said', () => {
    given(conversation)(...group)
      .when(permit('ada', { send: 'admin', pin: 'moderator' }))
      .appends({ type: 'PermissionsChanged', data: { ...about('ada'), send: 'admin' } });
    given(conversation)(...group)
      .when(permit('bob', { send: 'admin' }))
      .rejects('forbidden');
  });
  it('[V10] hold for what comes after them', () =>
    given(conversation)(...group, {
      type: 'PermissionsChanged',
      data: { ...about('ada'), send: 'admin' },
    })
      .when(send('eve'))
      .rejects('forbidden'));
  it('let nobody remove who is more than they are', () => {
    given(conversation)(...group)
      .when(remove('eve', 'bob'))
      .rejects('forbidden');
    given(conversation)(...group)
      .when(remove('eve', 'zoe'))
      .appends({ type: 'MemberRemoved', data: { ...about('eve'), userId: 'zoe' } });
  });
});

describe('[F4] A ban', () => {
  it('takes out who is in, and holds who is not', () => {
    given(conversation)(...group)
      .when(ban('ada', 'zoe', later(1_000)))
      .appends(banned('zoe', later(1_000)));
    given(conversation)(...group)
      .when(ban('eve', 'mallory'))
      .appends({
        type: 'MemberBanned',
        data: { ...about('eve'), userId: 'mallory', wasIn: 'no' },
      });
  });
  it('keeps people out until it is over', () => {
    const history = [...group, banned('zoe', later(1_000))];
    given(conversation)(...history)
      .when(add(later(999)))
      .rejects('forbidden');
    given(conversation)(...history)
      .when(add(later(1_000)))
      .appends({
        type: 'MembersAdded',
        data: { ...about('ada'), at: later(1_000), members: ['zoe'], role: 'member' },
      });
  });
  it('is not for oneself, for those above, in the past, or without end of them', () => {
    given(conversation)(...group)
      .when(ban('eve', 'eve'))
      .rejects('invalid');
    given(conversation)(...group)
      .when(ban('eve', 'bob'))
      .rejects('forbidden');
    given(conversation)(...group)
      .when(ban('eve', 'zoe', AT))
      .rejects('invalid');
    const many = Array.from({ length: BANS_MAX }, (_, index) => banned(`x${index}`));
    given(conversation)(...group, ...many)
      .when(ban('ada', 'zoe'))
      .rejects('too_large');
  });
  it('is taken back', () =>
    given(conversation)(...group, banned('zoe'))
      .when(new UnbanMember({ conversationId, userId: 'zoe' }, metaOf('eve')))
      .appends({ type: 'MemberUnbanned', data: { ...about('eve'), userId: 'zoe' } }));
});

describe('[X24] [F15] The pace', () => {
  it('is the owner’s to set', () => {
    given(conversation)(...group)
      .when(change('ada'))
      .appends(paced({ slowModeS: 5 }));
    given(conversation)(...group, paced({ slowModeS: 5 }))
      .when(change('ada'))
      .appends();
    given(conversation)(...group)
      .when(change('bob'))
      .rejects('forbidden');
  });
  it('makes a member wait, not a moderator', () => {
    const slow = [...group, paced({ slowModeS: 5 }), said('zoe', 1), said('eve', 2)];
    given(conversation)(...slow)
      .when(send('zoe', later(4_999)))
      .rejects('rate_limited');
    given(conversation)(...slow)
      .when(send('zoe', later(5_000)))
      .appends(said('zoe', 3, later(5_000)));
    given(conversation)(...slow)
      .when(send('eve'))
      .appends(said('eve', 3));
  });
  it('lets all say so much in any minute', () => {
    const fast = [...group, paced({ perMinute: 2 }), said('zoe', 1), said('bob', 2, later(30_000))];
    given(conversation)(...fast)
      .when(send('zoe', later(59_999)))
      .rejects('rate_limited');
    given(conversation)(...fast)
      .when(send('zoe', later(60_000)))
      .appends(said('zoe', 3, later(60_000)));
  });
});

describe('[F2] [F11] A group', () => {
  it('says what it is, in one command', () =>
    given(conversation)(...group)
      .when(new DescribeConversation({ conversationId, name: 'Quire', image: '' }, metaOf('bob')))
      .appends(
        { type: 'ConversationRenamed', data: { ...about('bob'), name: 'Quire' } },
        { type: 'ConversationDescribed', data: { ...about('bob'), image: '' } },
      ));
  it('ends by its owner, who goes last', () => {
    const members = ['bob', 'eve', 'zoe', 'ada'];
    given(conversation)(...group)
      .when(end('ada'))
      .appends(
        { type: 'ConversationDeleted', data: { ...about('ada'), history: 'kept' } },
        { type: 'MembersDismissed', data: { ...about('ada'), history: 'kept', members } },
      );
    given(conversation)(...group)
      .when(end('bob'))
      .rejects('forbidden');
  });
});
