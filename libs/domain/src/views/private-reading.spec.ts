import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Recorded } from '../decider.js';
import { loggedKind, type Mark, type ReceiptEvent } from '../receipts/events.js';
import { receipts, shownRead, type ReceiptView } from './receipts.js';

const at = '2026-01-01T00:00:00.000Z';
const tick = (marks: readonly Mark[], position: number): Recorded<ReceiptEvent> => ({
  type: 'MarksMoved',
  data: { at, marks },
  id: `event-${position}`,
  stream: 'receipts-00',
  revision: position,
  position,
  correlationId: 'c',
  causationId: 'c',
});

it('[A16] [V11] others see the furthest mark that was told, the person the furthest of all', () => {
  const marking = fc.record({ seq: fc.integer({ min: 0, max: 20 }), isPrivate: fc.boolean() });
  fc.assert(
    fc.property(fc.array(marking, { minLength: 1, maxLength: 12 }), (marks) => {
      let view: ReceiptView | undefined;
      for (const [position, { seq, isPrivate }] of marks.entries()) {
        const mark: Mark = ['k', 'ada', 'phone', loggedKind('read', isPrivate), seq, seq + 1];
        view = receipts.evolve(view, tick([mark], position), 'k:ada');
      }
      const furthest = (of: typeof marks) => Math.max(-1, ...of.map(({ seq }) => seq));
      expect(view?.read).toBe(furthest(marks));
      expect(view && shownRead(view).read).toBe(furthest(marks.filter((mark) => !mark.isPrivate)));
    }),
  );
});
