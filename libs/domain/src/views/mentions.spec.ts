import { describe, expect, it } from 'vitest';
import { projected, recorded, stampedBy } from '#testing';
import type { ConversationEvent } from '../conversation/events.js';
import { conversations } from './conversations.js';
import { EVERYBODY, mentions } from './mentions.js';

const conversationId = 'k';
const own = { ...stampedBy('ada'), conversationId };
const started: ConversationEvent = { type: 'ConversationStarted', data: { ...own, kind: 'group' } };
const said = (number: number, more: object = {}): ConversationEvent => ({
  type: 'MessageSent',
  data: { ...own, messageId: `m${number}`, number, text: 'hi', ...more },
});
const edited = (number: number, more: object = {}): ConversationEvent => ({
  type: 'MessageEdited',
  data: { ...own, messageId: `m${number}`, messageSeq: number, text: 'ho', ...more },
});
const deleted: ConversationEvent = {
  type: 'MessageDeleted',
  data: { ...own, messageId: 'm1', messageSeq: 1 },
};
const talk = (...events: readonly ConversationEvent[]) =>
  recorded(...events.map((event) => ({ stream: `conversation-${conversationId}`, event })));
const fold = (...events: readonly ConversationEvent[]) => projected(mentions)(...talk(...events));
const listed = (...events: readonly ConversationEvent[]) =>
  projected(conversations)(...talk(...events)).get(conversationId);

describe('[X1] Mentions', () => {
  it('are one document for a message, whomever it mentions, and none for others', () => {
    const found = fold(started, said(1, { mentions: ['ben', 'eve'], notify: 'all' }), said(2));
    expect([...found.keys()]).toEqual(['m1']);
    expect(found.get('m1')).toMatchObject({
      conversationId,
      seq: 1,
      who: ['ben', 'eve', EVERYBODY],
    });
  });
  it('are those of the message as it says now', () => {
    const first = [started, said(1, { mentions: ['ben'] })];
    expect(fold(...first, edited(1, { mentions: ['eve'] })).get('m1')).toMatchObject({
      seq: 1,
      who: ['eve'],
    });
    expect(fold(...first, edited(1)).get('m1')).toBeUndefined();
    expect(fold(started, said(1), edited(1, { notify: 'all' })).get('m1')).toMatchObject({
      seq: 1,
      who: [EVERYBODY],
    });
    expect(fold(...first, deleted).get('m1')).toBeUndefined();
  });
});

describe('[B5] [C14] The list', () => {
  it('knows the last message that mentions somebody, is urgent, or is not of low priority', () => {
    const urgent = said(2, { priority: 'high' });
    const view = listed(
      started,
      said(1, { mentions: ['ben'] }),
      urgent,
      said(3, { priority: 'low' }),
    );
    expect(view).toMatchObject({ number: 3, called: 1, urgent: 2, plain: 2 });
    expect(listed(started, said(1))).toMatchObject({ plain: 1 });
  });
});
