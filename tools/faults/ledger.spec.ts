import { describe, expect, it } from 'vitest';
import { disagreements, type Entry, type Logged } from './ledger.js';

const place = { device: 'd', conversation: 'k' };
const logged = (seq: number): Logged => ({
  conversation: 'k',
  messageId: `m${seq}`,
  command: `c${seq}`,
  seq,
});
const sent = (seq: number): Entry => ({ what: 'sent', ...place, command: `c${seq}`, text: '' });
const acknowledged = (seq: number): Entry => ({
  what: 'acknowledged',
  ...place,
  command: `c${seq}`,
  messageId: `m${seq}`,
  seq,
});
const shown = (seq: number): Entry => ({
  what: 'shown',
  ...place,
  messageId: `m${seq}`,
  seq,
  text: '',
});

const log = [logged(0), logged(1), logged(2)];
const told = [0, 1, 2].flatMap((seq) => [sent(seq), acknowledged(seq)]);
const seen = [shown(0), shown(1), shown(2)];
const check = (entries: readonly Entry[], messages: readonly Logged[] = log): string =>
  disagreements(entries, messages, new Map([['d', ['k']]])).join();

describe('the checker of the fault tests', () => {
  it('has nothing to say when all is well', () => {
    expect(check([...told, ...seen])).toBe('');
  });

  it.each([
    ['an acknowledged message that is gone', [...told, ...seen], [logged(0), logged(1)], '[V1]'],
    ['a message that nobody sent', [...told.slice(2), ...seen], log, '[V2]'],
    [
      'a command with two effects',
      [...told, ...seen],
      [...log, { ...logged(3), command: 'c0' }],
      '[V3]',
    ],
    ['a message that was not shown', [...told, shown(0), shown(2)], log, '1 missing'],
    ['a message that was shown twice', [...told, ...seen, shown(1)], log, '1 doubled'],
    ['another order', [...told, shown(1), shown(0), shown(2)], log, '[V5]'],
    [
      'another seq than was acknowledged',
      [...told, ...seen],
      [{ ...logged(0), seq: 9 }, ...log.slice(1)],
      '[V5]',
    ],
  ] as const)('finds %s', (_, entries, messages, name) => {
    expect(check(entries, messages)).toContain(name);
  });
});
