import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MARK_KINDS, memberKey, receipts, type Mark, type ReceiptView } from '#domain';
import { recorded } from '#testing';

const [ROOM, ANN] = ['room', 'ann'];
const DEVICES = ['phone', 'tablet'] as const;
const AT = '2026-01-01T00:00:00.000Z';

const KEY = memberKey(ROOM, ANN);

const readOf = (view: ReceiptView | undefined): number => view?.read ?? -1;

type Step = Readonly<{ device: string; kind: number; seq: number }>;

const step: fc.Arbitrary<Step> = fc.record({
  device: fc.constantFrom(...DEVICES),
  kind: fc.constantFrom(...MARK_KINDS.keys()),
  seq: fc.integer({ min: 0, max: 40 }),
});

const tickOf = (steps: readonly Step[]) => {
  const marks = steps.map(({ device, kind, seq }): Mark => [ROOM, ANN, device, kind, seq, seq]);
  return { stream: 'receipts-00', event: { type: 'MarksMoved' as const, data: { at: AT, marks } } };
};

/** The furthest of each: what was read, and what was delivered by device. */
const furthestOf = (steps: readonly Step[]): Map<string, number> => {
  const furthest = new Map<string, number>();
  for (const { device, kind, seq } of steps) {
    const name = MARK_KINDS[kind] === 'read' ? 'read' : device;
    furthest.set(name, Math.max(furthest.get(name) ?? -1, seq));
  }
  return furthest;
};

describe('receipts', () => {
  it('[V11] only move forward, whatever the order of marks and however often they come', () => {
    const ticks = fc.array(fc.array(step, { minLength: 1 }));
    const property = fc.property(ticks, (told) => {
      let view: ReceiptView | undefined;
      for (const event of recorded(...told.map(tickOf))) {
        const before = view;
        view = receipts.evolve(before, event, KEY);
        expect(readOf(view)).toBeGreaterThanOrEqual(readOf(before));
        expect(receipts.evolve(view, event, KEY)).toEqual(view);
      }
      const furthest = furthestOf(told.flat());
      expect(readOf(view)).toBe(furthest.get('read') ?? -1);
      furthest.delete('read');
      expect(view?.delivered ?? {}).toEqual(Object.fromEntries(furthest));
    });
    fc.assert(property);
  });
});
