import { describe, it } from 'vitest';
import { AT, given, metaOf, stampedBy } from '#testing';
import { conversation } from './decide.js';
import type { ConversationEvent, ConversationKind } from './events.js';
import { DELETED_MAX } from './evolve.js';
import { DeleteMessage, EditMessage, SendMessage, type MessageBody } from './message-commands.js';
import { DELETE_WINDOW_MS, EDIT_WINDOW_MS } from './message-rules.js';

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
const send = (actor: string, more: Partial<MessageBody> & { replyTo?: string } = {}) =>
  new SendMessage({ conversationId, text: 'hi', ...more }, metaOf(actor));

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
const about = { conversationId, messageId: 'event-1', target: { seq: 2, by: 'bob', at: AT } };
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
