import { describe, it } from 'vitest';
import { given, metaOf, stampedBy } from '#testing';
import { conversation } from './decide.js';
import type { ConversationEvent, ConversationKind } from './events.js';
import { SendMessage, type MessageBody } from './message-commands.js';

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
