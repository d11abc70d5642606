import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { after, given, metaOf, stampedBy } from '#testing';
import {
  AddMembers,
  LeaveConversation,
  RemoveMember,
  RenameConversation,
  StartConversation,
  type ConversationCommand,
} from './commands.js';
import { conversation } from './decide.js';
import { SendMessage } from './message-commands.js';
import { MEMBERS_PER_EVENT_MAX } from './group-rules.js';
import { GROUP_MEMBERS_MAX } from './rules.js';
import type { ConversationEvent, ConversationKind } from './events.js';
import type { Role } from './roles.js';
import { RECENT_MESSAGES_MAX, snapshots } from './evolve.js';
import { Rejection } from '../rejection.js';

const conversationId = 'k';
const people = (count: number) => Array.from({ length: count }, (_, at) => `person-${at}`);

const started = (kind: ConversationKind, name?: string): ConversationEvent => ({
  type: 'ConversationStarted',
  data: { ...stampedBy('ada'), conversationId, kind, ...(name === undefined ? {} : { name }) },
});
const added = (
  members: readonly string[],
  role: Exclude<Role, 'moderator'> = 'member',
  by = 'ada',
): ConversationEvent => ({
  type: 'MembersAdded',
  data: { ...stampedBy(by), conversationId, members, role },
});
const removed = (userId: string): ConversationEvent => ({
  type: 'MemberRemoved',
  data: { ...stampedBy('ada'), conversationId, userId },
});
const left = (userId: string): ConversationEvent => ({
  type: 'MemberLeft',
  data: { ...stampedBy(userId), conversationId, userId },
});
const promoted = (userId: string, role: Role, by = 'ada'): ConversationEvent => ({
  type: 'RoleChanged',
  data: { ...stampedBy(by), conversationId, userId, role },
});
const said = (by: string, number: number, text = 'hi'): ConversationEvent => ({
  type: 'MessageSent',
  data: { ...stampedBy(by), conversationId, messageId: 'event-1', number, text },
});

const start = (kind: ConversationKind, members: readonly string[], actor = 'ada', name?: string) =>
  new StartConversation({ conversationId, kind, members, name }, metaOf(actor));
const add = (actor: string, ...members: readonly string[]) =>
  new AddMembers({ conversationId, members }, metaOf(actor));
const remove = (actor: string, userId: string) =>
  new RemoveMember({ conversationId, userId }, metaOf(actor));
const leave = (actor: string) => new LeaveConversation({ conversationId }, metaOf(actor));
const rename = (actor: string) =>
  new RenameConversation({ conversationId, name: 'N' }, metaOf(actor));
const send = (actor: string) => new SendMessage({ conversationId, text: 'hi' }, metaOf(actor));

const group = [started('group'), added(['bob', 'eve'])];
const direct = [started('direct'), added(['bob'])];
const broadcast = [started('broadcast'), added(['bob'], 'admin')];

describe('Starting a conversation', () => {
  it('makes its founder the owner and the others members', () =>
    given(conversation)()
      .when(start('group', ['bob', 'eve'], 'ada', 'Team'))
      .appends(started('group', 'Team'), added(['bob', 'eve'])));
  it('needs nobody else in a group', () =>
    given(conversation)().when(start('group', [])).appends(started('group')));
  it('makes those named in a broadcast its admins', () =>
    given(conversation)()
      .when(start('broadcast', ['bob']))
      .appends(...broadcast));
  it('names everybody once, and its founder not again', () =>
    given(conversation)()
      .when(start('group', ['bob', 'ada', 'bob']))
      .appends(started('group'), added(['bob'])));
  it('is between exactly two when it is direct', () => {
    given(conversation)()
      .when(start('direct', ['bob']))
      .appends(...direct);
    given(conversation)().when(start('direct', [])).rejects('invalid');
    given(conversation)()
      .when(start('direct', ['bob', 'eve']))
      .rejects('invalid');
  });
  it('[X3] may be with oneself: notes', () => {
    given(conversation)()
      .when(start('direct', ['ada']))
      .appends(started('direct'));
    given(conversation)(started('direct'))
      .when(start('direct', ['ada']))
      .appends();
  });
  it('changes nothing when either of the two opens their direct conversation again', () => {
    given(conversation)(...direct)
      .when(start('direct', ['bob']))
      .appends();
    given(conversation)(...direct)
      .when(start('direct', ['ada'], 'bob'))
      .appends();
  });
  it('is refused where one exists', () => {
    given(conversation)(...direct)
      .when(start('direct', ['bob'], 'eve'))
      .rejects('already_exists');
    given(conversation)(...group)
      .when(start('group', []))
      .rejects('already_exists');
  });
  it('splits many members over events of a bounded size', () => {
    const others = people(2 * MEMBERS_PER_EVENT_MAX + 1);
    given(conversation)()
      .when(start('group', others))
      .appends(
        started('group'),
        added(others.slice(0, MEMBERS_PER_EVENT_MAX)),
        added(others.slice(MEMBERS_PER_EVENT_MAX, 2 * MEMBERS_PER_EVENT_MAX)),
        added(others.slice(2 * MEMBERS_PER_EVENT_MAX)),
      );
  });
  it('is refused beyond what a group holds, its founder counted', () => {
    expect(
      conversation.decide(start('group', people(GROUP_MEMBERS_MAX - 1)), conversation.initial()),
    ).toHaveLength(1 + GROUP_MEMBERS_MAX / MEMBERS_PER_EVENT_MAX);
    given(conversation)()
      .when(start('group', people(GROUP_MEMBERS_MAX)))
      .rejects('conversation_full');
  });
});

describe('Adding members', () => {
  it('is for owners and admins', () => {
    given(conversation)(...group)
      .when(add('ada', 'zoe'))
      .appends(added(['zoe']));
    given(conversation)(...group, promoted('bob', 'admin'))
      .when(add('bob', 'zoe'))
      .appends(added(['zoe'], 'member', 'bob'));
    given(conversation)(...group)
      .when(add('bob', 'zoe'))
      .rejects('forbidden');
  });
  it('does not tell strangers that the conversation exists', () => {
    given(conversation)(...group)
      .when(add('mallory', 'zoe'))
      .rejects('not_found');
    given(conversation)().when(add('mallory', 'zoe')).rejects('not_found');
  });
  it('adds whoever is not in yet, each once', () =>
    given(conversation)(...group)
      .when(add('ada', 'bob', 'zoe', 'zoe'))
      .appends(added(['zoe'])));
  it('is refused when everybody is in', () =>
    given(conversation)(...group)
      .when(add('ada', 'bob'))
      .rejects('already_a_member'));
  it('takes back who was removed', () =>
    given(conversation)(...group, removed('bob'))
      .when(add('ada', 'bob'))
      .appends(added(['bob'])));
  it('never makes three of a direct conversation', () =>
    given(conversation)(...direct)
      .when(add('ada', 'zoe'))
      .rejects('forbidden'));
  it('adds admins to a broadcast', () =>
    given(conversation)(...broadcast)
      .when(add('bob', 'zoe'))
      .appends(added(['zoe'], 'admin', 'bob')));
  it('is refused when the group is full', () => {
    const full = [started('group'), added(people(GROUP_MEMBERS_MAX - 1))];
    given(conversation)(...full)
      .when(add('ada', 'zoe'))
      .rejects('conversation_full');
    given(conversation)(...full, removed('person-0'))
      .when(add('ada', 'zoe'))
      .appends(added(['zoe']));
  });
});

describe('Removing a member', () => {
  it('is for owners and admins', () => {
    given(conversation)(...group)
      .when(remove('ada', 'bob'))
      .appends(removed('bob'));
    given(conversation)(...group)
      .when(remove('bob', 'eve'))
      .rejects('forbidden');
    given(conversation)(...group)
      .when(remove('mallory', 'eve'))
      .rejects('not_found');
  });
  it('is refused for who is not in', () =>
    given(conversation)(...group)
      .when(remove('ada', 'zoe'))
      .rejects('not_found'));
  it('never removes an owner', () => {
    const withAdmin = [...group, promoted('bob', 'admin')];
    given(conversation)(...withAdmin)
      .when(remove('bob', 'ada'))
      .rejects('forbidden');
  });
  it('has no place in a direct conversation', () =>
    given(conversation)(...direct)
      .when(remove('ada', 'bob'))
      .rejects('forbidden'));
  it('takes the right to speak at once', () =>
    given(conversation)(...group, removed('bob'))
      .when(send('bob'))
      .rejects('not_found'));
});

describe('Leaving', () => {
  it('is open to every member of a group', () =>
    given(conversation)(...group)
      .when(leave('bob'))
      .appends(left('bob')));
  it('is not possible from a direct conversation, or for strangers', () => {
    given(conversation)(...direct)
      .when(leave('bob'))
      .rejects('forbidden');
    given(conversation)(...group)
      .when(leave('mallory'))
      .rejects('not_found');
    given(conversation)(...group, left('bob'))
      .when(leave('bob'))
      .rejects('not_found');
  });
  it('gives the last owner’s place to the first admin', () =>
    given(conversation)(...group, promoted('eve', 'admin'))
      .when(leave('ada'))
      .appends(left('ada'), promoted('eve', 'owner')));
  it('gives it to the member who has been there longest when there is no admin', () =>
    given(conversation)(...group)
      .when(leave('ada'))
      .appends(left('ada'), promoted('bob', 'owner')));
  it('gives it to nobody while another owner stays, or when nobody is left', () => {
    given(conversation)(...group, promoted('eve', 'owner'))
      .when(leave('ada'))
      .appends(left('ada'));
    given(conversation)(started('group')).when(leave('ada')).appends(left('ada'));
  });
});

describe('Renaming', () => {
  it('is for owners and admins of what has a name', () => {
    const data = { ...stampedBy('ada'), conversationId, name: 'N' };
    given(conversation)(...group)
      .when(rename('ada'))
      .appends({ type: 'ConversationRenamed', data });
    given(conversation)(...group)
      .when(rename('bob'))
      .rejects('forbidden');
    given(conversation)(...direct)
      .when(rename('ada'))
      .rejects('forbidden');
    given(conversation)(...group)
      .when(rename('mallory'))
      .rejects('not_found');
  });
});

describe('Sending a message', () => {
  it('is for members, and numbers messages from 1', () => {
    given(conversation)(...group)
      .when(send('bob'))
      .appends(said('bob', 1));
    given(conversation)(...group, said('bob', 1))
      .when(send('eve'))
      .appends(said('eve', 2));
    given(conversation)(...direct)
      .when(send('bob'))
      .appends(said('bob', 1));
  });
  it('is refused to strangers as if there were no conversation', () => {
    given(conversation)(...group)
      .when(send('mallory'))
      .rejects('not_found');
    given(conversation)().when(send('ada')).rejects('not_found');
  });
  it('is for admins in a broadcast', () => {
    given(conversation)(...broadcast)
      .when(send('bob'))
      .appends(said('bob', 1));
    given(conversation)(...broadcast)
      .when(send('follower'))
      .rejects('not_found');
  });
});

describe('The state of a conversation', () => {
  it('keeps the latest messages only, oldest first', () => {
    const messages = Array.from({ length: RECENT_MESSAGES_MAX + 3 }, (_, at) =>
      said('bob', at + 1),
    );
    const { recent, number, head } = after(conversation, ...group, ...messages);
    expect(recent).toHaveLength(RECENT_MESSAGES_MAX);
    expect(recent[0]).toEqual({ seq: group.length + 3, number: 4, by: 'bob' });
    expect(number).toBe(messages.length);
    expect(head).toBe(group.length + messages.length - 1);
  });

  it('is the same through a snapshot as through the events, whatever happened', () => {
    const who = fc.constantFrom('ada', 'bob', 'eve', 'zoe');
    const command: fc.Arbitrary<ConversationCommand> = fc.oneof(
      who.map((actor) => send(actor)),
      who.map((actor) => leave(actor)),
      who.map((actor) => rename(actor)),
      fc.tuple(who, who).map(([actor, other]) => add(actor, other)),
      fc.tuple(who, who).map(([actor, other]) => remove(actor, other)),
      fc.tuple(who, who).map(([actor, other]) => start('group', [other], actor)),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), fc.nat(40), (commands, cut) => {
        const log = accepted(commands);
        const frozen = snapshots.freeze(after(conversation, ...log.slice(0, cut)));
        let state = snapshots.thaw(JSON.parse(JSON.stringify(frozen)));
        for (const [at, event] of log.slice(cut).entries())
          state = conversation.evolve(state, event, Math.min(cut, log.length) + at);
        const whole = after(conversation, ...log);
        expect([...state.members]).toEqual([...whole.members]);
        expect(snapshots.freeze(state)).toEqual(snapshots.freeze(whole));
      }),
    );
  });

  it('never leaves a group with members but without an owner', () => {
    const who = fc.constantFrom('ada', 'bob', 'eve');
    const command: fc.Arbitrary<ConversationCommand> = fc.oneof(
      who.map((actor) => leave(actor)),
      fc.tuple(who, who).map(([actor, other]) => add(actor, other)),
      fc.tuple(who, who).map(([actor, other]) => remove(actor, other)),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const { members } = after(
          conversation,
          ...accepted([start('group', ['bob']), ...commands]),
        );
        expect(members.size === 0 || [...members.values()].includes('owner')).toBe(true);
      }),
    );
  });
});

/** The log that commands leave, those that are refused left out. */
const accepted = (commands: readonly ConversationCommand[]): ConversationEvent[] => {
  const log: ConversationEvent[] = [];
  for (const command of commands) {
    try {
      log.push(...conversation.decide(command, after(conversation, ...log)));
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
    }
  }
  return log;
};
