import { expect, it } from 'vitest';
import { Inbound } from './inbound.js';
import type { Fact } from './protocol.js';

const fact = (seq: number, conversationId = 'a', id = `${conversationId}-${seq}`): Fact => ({
  v: 1,
  id,
  type: 'message.sent',
  conversationId,
  seq,
  position: String(seq * 10),
  at: '',
  actor: '',
  data: { messageId: id, number: seq, text: '' },
  correlationId: '',
  causationId: '',
  clientId: '',
});

const inboundOf = (history: readonly Fact[] = []) => {
  const shown: string[] = [];
  const asked: number[] = [];
  const places: string[] = [];
  const inbound = new Inbound({
    fact: ({ id }) => shown.push(id),
    receiptsMoved: () => undefined,
    receipts: () => undefined,
    reactionsSet: () => undefined,
    reactions: () => undefined,
    fill: async ({ conversationId, seq }, after) => {
      asked.push(after);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return history.filter(
        (past) => past.conversationId === conversationId && past.seq > after && past.seq < seq,
      );
    },
    reached: ({ position, id }) => places.push(`${position}.${id}`),
    paged: (_, cursor) => places.push(cursor),
    chains: { shown: () => undefined, repeated: () => undefined },
    seen: { show: () => undefined, count: () => undefined },
  });
  return { inbound, shown, asked, places };
};

it('shows each fact once, whatever comes twice', () => {
  const { inbound, shown } = inboundOf();
  for (const seq of [1, 2, 2, 1, 3]) inbound.fact(fact(seq));
  inbound.fact(fact(-1, 'a', 'follow'));
  inbound.fact(fact(-1, 'a', 'follow'));
  expect(shown).toEqual(['a-1', 'a-2', 'a-3', 'follow']);
});

it('fills a hole from history before it shows what came after', async () => {
  const { inbound, shown, asked } = inboundOf([2, 3, 4].map((seq) => fact(seq)));
  for (const seq of [1, 5, 6]) inbound.fact(fact(seq));
  inbound.fact(fact(9, 'b'));
  await expect.poll(() => shown.length).toBe(7);
  expect(shown).toEqual(['a-1', 'a-2', 'a-3', 'a-4', 'a-5', 'a-6', 'b-9']);
  expect(asked).toEqual([1]);
});

it('goes on where history has nothing to fill with: one was out and is in again', async () => {
  const { inbound, shown } = inboundOf();
  inbound.fact(fact(1));
  inbound.fact(fact(5));
  await expect.poll(() => shown).toEqual(['a-1', 'a-5']);
});

it('keeps what is live behind the page that it came after', () => {
  const { inbound, shown, places } = inboundOf();
  const page = { receipts: [], cursor: 'p', more: false, live: true };
  inbound.page({ ...page, facts: [fact(1), fact(2)] }, '20');
  inbound.fact(fact(3));
  expect(shown).toEqual(['a-1', 'a-2', 'a-3']);
  expect(places).toEqual(['10.a-1', '20.a-2', 'p', '30.a-3']);
});

it('forgets places when the log is another', () => {
  const { inbound, shown } = inboundOf();
  inbound.fact(fact(7));
  inbound.reset();
  inbound.fact(fact(2));
  expect(shown).toEqual(['a-7', 'a-2']);
});
