import { describe, expect, it } from 'vitest';
import { FACT_TYPES } from '#domain';
import { linkOf as linkOfWriter } from '#platform';
import { linkOf } from './links.js';

describe('a link', () => {
  it.each(Object.keys(FACT_TYPES))('[Z2] of %s is the one that the writer made', (type) => {
    const data = {
      v: 1,
      by: 'somebody',
      at: '2026-11-23T12:00:00.000Z',
      origin: { command: 'a command', n: 4 },
      conversationId: 'a conversation',
      number: 7,
      prev: 'the link before',
      sealed: { subject: 'somebody', box: 'closed', commit: 'a commitment' },
    };
    const event = { id: 'an id', type, data };
    const link = linkOf({ ...event, stream: 'conversation-1', revision: 9 });
    expect(link).toBe(linkOfWriter({ ...event, metadata: {} }, 9));
  });
});
