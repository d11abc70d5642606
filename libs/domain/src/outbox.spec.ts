import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metaOf } from '#testing';
import { OUTBOX_RESULTS_MAX, recall, remember, sameBody, type Outboxes } from './outbox.js';
import { Rejection } from './rejection.js';

const DEVICE = 'phone';

const metaAt = (n: number | undefined, commandId: string, digest = `body of ${commandId}`) =>
  metaOf('ada', { device: DEVICE, commandId, digest, ...(n === undefined ? {} : { n }) });

const sent = (count: number): Outboxes => {
  const outboxes: Outboxes = new Map();
  for (let n = 1; n <= count; n += 1) {
    const command = `command ${n}`;
    remember(outboxes, { command, device: DEVICE, n, digest: `body of ${command}` }, 10 * n);
  }
  return outboxes;
};

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof Rejection ? error.code : 'a bug';
  }
};

describe('A command of an outbox', () => {
  it('is new when it is the next, from 1', () => {
    expect(recall(new Map(), metaAt(1, 'first'))).toBe('new');
    expect(recall(sent(3), metaAt(4, 'next'))).toBe('new');
  });

  it('is out of order after a gap, and hears which is expected', () => {
    expect(codeOf(() => recall(sent(3), metaAt(5, 'too far')))).toBe('out_of_order');
    expect(() => recall(sent(3), metaAt(9, 'too far'))).toThrow(
      expect.objectContaining({ details: { expected: 4 } }),
    );
    expect(codeOf(() => recall(new Map(), metaAt(2, 'too far')))).toBe('out_of_order');
  });

  it('is answered as it was when it is repeated', () => {
    expect(recall(sent(5), metaAt(3, 'command 3'))).toMatchObject({
      command: 'command 3',
      seq: 30,
    });
  });

  it('is refused when its id was used for another body', () => {
    const another = metaAt(3, 'command 3', 'another body');
    expect(codeOf(() => recall(sent(5), another))).toBe('id_reused');
    expect(codeOf(() => recall(sent(5), metaAt(undefined, 'command 3', 'other')))).toBe(
      'id_reused',
    );
  });

  it('is a question to history when its result is too old to be at hand', () => {
    const outboxes = sent(OUTBOX_RESULTS_MAX + 1);
    expect(recall(outboxes, metaAt(1, 'command 1'))).toBe('ask_history');
    expect(recall(outboxes, metaAt(2, 'command 2'))).toMatchObject({ seq: 20 });
  });

  it('is a question to history when it has no place, unless it cannot be a repeat', () => {
    expect(recall(sent(1), metaAt(undefined, 'loose'))).toBe('ask_history');
    expect(recall(sent(1), { ...metaAt(undefined, 'loose'), once: true })).toBe('new');
    expect(recall(new Map(), metaAt(undefined, 'loose'))).toBe('new');
  });

  it('is new when it comes from no device: a policy makes its own ids', () => {
    expect(recall(sent(3), metaOf('ada'))).toBe('new');
  });

  it('does not touch the outbox of another device', () => {
    expect(recall(sent(3), { ...metaAt(1, 'command 1'), device: 'laptop' })).toBe('new');
  });
});

describe('What is remembered of a command', () => {
  it('is its first event only, however many it caused', () => {
    const outboxes: Outboxes = new Map();
    const origin = { command: 'one', device: DEVICE, n: 1 };
    for (const seq of [7, 8, 9]) remember(outboxes, origin, seq);
    expect(outboxes.get(DEVICE)).toEqual({ n: 1, results: [{ command: 'one', n: 1, seq: 7 }] });
  });

  it('is bounded', () => {
    const outboxes = sent(10 * OUTBOX_RESULTS_MAX);
    expect(outboxes.get(DEVICE)?.results).toHaveLength(OUTBOX_RESULTS_MAX);
    expect(outboxes.get(DEVICE)?.n).toBe(10 * OUTBOX_RESULTS_MAX);
  });

  it('leaves the place where it was when the command had none', () => {
    const outboxes = sent(3);
    remember(outboxes, { command: 'loose', device: DEVICE }, 99);
    expect(recall(outboxes, metaAt(4, 'next'))).toBe('new');
  });

  it('is nothing for a command of no device', () => {
    const outboxes: Outboxes = new Map();
    remember(outboxes, { command: 'policy' }, 1);
    expect(outboxes.size).toBe(0);
  });

  it('makes each command count once, in order, whatever is repeated', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(12), { maxLength: 80 }), (wishes) => {
        const outboxes: Outboxes = new Map();
        const accepted: number[] = [];
        for (const wish of wishes) {
          const meta = metaAt(wish + 1, `command ${wish + 1}`);
          if (codeOf(() => recall(outboxes, meta)) !== undefined) continue;
          if (recall(outboxes, meta) !== 'new') continue;
          const { commandId: command, digest = '' } = meta;
          remember(outboxes, { command, device: DEVICE, n: wish + 1, digest }, accepted.length);
          accepted.push(wish);
        }
        expect(accepted).toEqual(accepted.map((_, at) => at));
      }),
    );
  });
});

describe('The body of a repeat', () => {
  it('must be that of the first', () => {
    const known = { digest: 'a', seq: 1 };
    expect(sameBody(known, 'a')).toBe(known);
    expect(codeOf(() => sameBody(known, 'b'))).toBe('id_reused');
    expect(codeOf(() => sameBody(known, undefined))).toBe('id_reused');
  });
});
