import { describe, it } from 'vitest';
import { AT, given, metaOf, stampedBy } from '#testing';
import { conversation } from './decide.js';
import type { ConversationEvent, ConversationKind } from './events.js';
import { DELETED_MAX } from './evolve.js';
import {
  DeleteMessage,
  EditMessage,
  ForwardMessage,
  PinMessage,
  SendMessage,
  UnpinMessage,
  type MessageBody,
  type Original,
  type Thread,
} from './message-commands.js';
import { DELETE_WINDOW_MS, EDIT_WINDOW_MS, PINS_MAX } from './message-rules.js';

const conversationId = 'k';
const started = (kind: ConversationKind): ConversationEvent => ({
  type: 'ConversationStarted',
  data: { ...stampedBy('ada'), conversationId, kind },
});
const added: ConversationEvent = {
  type: 'MembersAdded',
  data: { ...stampedBy('ada'), conversationId, members: ['bob', 'eve'], role: 'member' },
};
const group = [started('group'), added];
const said = (by: string, number: number, more: object = {}): ConversationEvent => ({
  type: 'MessageSent',
  data: { ...stampedBy(by), conversationId, messageId: 'event-1', number, text: 'hi', ...more },
});
const send = (
  actor: string,
  more: Partial<MessageBody> & { replyTo?: string; thread?: Thread; priority?: 'high' } = {},
) => new SendMessage({ conversationId, text: 'hi', ...more }, metaOf(actor));

describe('Saying something', () => {
  it('keeps what it is, whom it means, what it answers and what it holds', () => {
    const body = { kind: 'image', mentions: ['eve'], notify: 'all', content: '{}' } as const;
    given(conversation)(...group)
      .when(send('bob', { ...body, replyTo: 'event-0' }))
      .appends(said('bob', 1, { ...body, replyTo: 'event-0' }));
  });
  it('is a text where it does not say otherwise', () =>
    given(conversation)(...group)
      .when(send('bob', { kind: 'text', mentions: [] }))
      .appends(said('bob', 1)));
  it('mentions only members, as they are when it is decided', () => {
    given(conversation)(...group)
      .when(send('bob', { mentions: ['mallory'] }))
      .rejects('invalid');
    given(conversation)(...group, {
      type: 'MemberLeft',
      data: { ...stampedBy('eve'), conversationId, userId: 'eve' },
    })
      .when(send('bob', { mentions: ['eve'] }))
      .rejects('invalid');
  });
  it('does not mean all where there are two', () =>
    given(conversation)(started('direct'), added)
      .when(send('bob', { notify: 'all' }))
      .rejects('invalid'));
});

const later = (ms: number): string => new Date(Date.parse(AT) + ms).toISOString();
const about = {
  conversationId,
  messageId: 'event-1',
  target: { seq: 2, by: 'bob', at: AT, kind: 'text' },
} as const;
const edit = (actor: string, at = AT, more: Partial<MessageBody> = {}) =>
  new EditMessage({ ...about, text: 'otherwise', ...more }, metaOf(actor, { at }));
const remove = (actor: string, at = AT) => new DeleteMessage(about, metaOf(actor, { at }));
const edited = (by: string, at = AT): ConversationEvent => ({
  type: 'MessageEdited',
  data: {
    ...stampedBy(by),
    at,
    conversationId,
    messageId: 'event-1',
    messageSeq: 2,
    text: 'otherwise',
  },
});
const deleted = (
  by: string,
  messageId = 'event-1',
  messageSeq = 2,
  at = AT,
): ConversationEvent => ({
  type: 'MessageDeleted',
  data: { ...stampedBy(by), at, conversationId, messageId, messageSeq },
});
const left: ConversationEvent = {
  type: 'MemberLeft',
  data: { ...stampedBy('bob'), conversationId, userId: 'bob' },
};

describe('Editing', () => {
  const past = [...group, said('bob', 1)];

  it('is for the author alone [abuse 20]', () => {
    given(conversation)(...past)
      .when(edit('bob'))
      .appends(edited('bob'));
    given(conversation)(...past)
      .when(edit('ada'))
      .rejects('forbidden');
  });
  it('is not for who has left', () =>
    given(conversation)(...past, left)
      .when(edit('bob'))
      .rejects('not_found'));
  it('is over after its time [abuse 20]', () => {
    const [inTime, over] = [later(EDIT_WINDOW_MS), later(EDIT_WINDOW_MS + 1)];
    given(conversation)(...past)
      .when(edit('bob', over))
      .rejects('too_late');
    given(conversation)(...past)
      .when(edit('bob', inTime))
      .appends(edited('bob', inTime));
  });
  it('is over once the message was deleted [abuse 20]', () =>
    given(conversation)(...past, deleted('bob'))
      .when(edit('bob'))
      .rejects('too_late'));
  it('may come again and again: the order of the stream decides', () =>
    given(conversation)(...past, edited('bob'))
      .when(edit('bob'))
      .appends(edited('bob')));
  it('mentions only members', () =>
    given(conversation)(...past)
      .when(edit('bob', AT, { mentions: ['mallory'] }))
      .rejects('invalid'));
  it('brings nothing back that was deleted so long ago that it is forgotten', () => {
    const others = Array.from({ length: DELETED_MAX }, (_, at) =>
      deleted('ada', `other-${at}`, 3 + at),
    );
    given(conversation)(...past, deleted('bob'), ...others)
      .when(edit('bob'))
      .rejects('too_late');
  });
});

describe('Deleting for all', () => {
  const past = [...group, said('bob', 1)];

  it('is for the author and for admins [abuse 20]', () => {
    for (const by of ['bob', 'ada'])
      given(conversation)(...past)
        .when(remove(by))
        .appends(deleted(by));
    given(conversation)(...past)
      .when(remove('eve'))
      .rejects('forbidden');
    given(conversation)(started('direct'), added).when(remove('ada')).rejects('forbidden');
  });
  it('is over for the author after its time, never for an admin', () => {
    const over = later(DELETE_WINDOW_MS + 1);
    given(conversation)(...past)
      .when(remove('bob', over))
      .rejects('too_late');
    given(conversation)(...past)
      .when(remove('ada', over))
      .appends(deleted('ada', 'event-1', 2, over));
  });
  it('changes nothing where it is done', () =>
    given(conversation)(...past, deleted('bob'))
      .when(remove('ada'))
      .appends());
});

describe('A thread', () => {
  it('[X18] is said in without being one more message to read', () =>
    given(conversation)(...group, said('ada', 1))
      .when(send('bob', { thread: { messageId: 'event-1', by: 'ada' } }))
      .appends(said('bob', 1, { thread: 'event-1', threadBy: 'ada' })));
});

describe('Priority', () => {
  it('[C14] is kept where it is not the usual', () =>
    given(conversation)(...group)
      .when(send('bob', { priority: 'high' }))
      .appends(said('bob', 1, { priority: 'high' })));
});

describe('Passing something on', () => {
  const original = { text: 'hi', author: 'zoe', forwards: 4 } as const;
  const forward = (actor: string, of: Original | undefined = original) =>
    new ForwardMessage({ conversationId, original: of }, metaOf(actor));

  it('[C9] says whose words they are, and how often that was done', () =>
    given(conversation)(...group)
      .when(forward('bob'))
      .appends(said('bob', 1, { author: 'zoe', forwards: 5 })));
  it('[C9] is not for strangers, nor possible with what is gone', () => {
    given(conversation)(...group)
      .when(forward('mallory'))
      .rejects('not_found');
    given(conversation)(...group)
      .when(new ForwardMessage({ conversationId, original: undefined }, metaOf('bob')))
      .rejects('not_found');
  });
  it('does not make the words of another one’s own to edit', () => {
    const target = { ...about.target, author: 'zoe' };
    given(conversation)(...group, said('bob', 1, { author: 'zoe', forwards: 1 }))
      .when(new EditMessage({ ...about, target, text: 'otherwise' }, metaOf('bob')))
      .rejects('forbidden');
  });
});

const pin = (actor: string, messageId = 'event-1') =>
  new PinMessage({ ...about, messageId }, metaOf(actor));
const unpin = (actor: string) => new UnpinMessage(about, metaOf(actor));
const change = (
  type: 'MessagePinned' | 'MessageUnpinned',
  messageId = 'event-1',
  by = 'ada',
): ConversationEvent => ({
  type,
  data: { ...stampedBy(by), conversationId, messageId, messageSeq: 2 },
});

describe('Pinning', () => {
  const pinned = [...group, said('bob', 1), change('MessagePinned')];

  it('[X2] is done by admins, once', () => {
    given(conversation)(...group, said('bob', 1))
      .when(pin('ada'))
      .appends(change('MessagePinned'));
    given(conversation)(...pinned)
      .when(pin('ada'))
      .appends();
    given(conversation)(...group)
      .when(pin('bob'))
      .rejects('forbidden');
  });
  it('[X2] is done by either of two', () =>
    given(conversation)(started('direct'), added, said('bob', 1))
      .when(pin('bob'))
      .appends(change('MessagePinned', 'event-1', 'bob')));
  it('[X2] ends, also with the message', () => {
    given(conversation)(...pinned)
      .when(unpin('ada'))
      .appends(change('MessageUnpinned'));
    given(conversation)(...pinned, deleted('bob'))
      .when(unpin('ada'))
      .appends();
    given(conversation)(...group, said('bob', 1), deleted('bob'))
      .when(pin('ada'))
      .rejects('not_found');
  });
  it('[X2] stops where the top is full', () => {
    const full = Array.from({ length: PINS_MAX }, (_, n) => change('MessagePinned', `event-${n}`));
    given(conversation)(...group, ...full)
      .when(pin('ada', 'one-more'))
      .rejects('too_large');
    given(conversation)(...group, ...full, change('MessageUnpinned', 'event-3'))
      .when(pin('ada', 'one-more'))
      .appends(change('MessagePinned', 'one-more'));
  });
});
