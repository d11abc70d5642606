/* oxlint-disable typescript/no-unsafe-type-assertion -- the lines are those made here */
import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonical } from './canonical.js';
import { ExportCheck, type Checked } from './export-check.js';
import { eventLine, footerLine, headerLine, headLine } from './export-lines.js';
import {
  keyIdOf,
  newSigningKey,
  publicKeyOf,
  signHead,
  signingKeyOf,
  writtenKey,
  type SignedHead,
} from './heads.js';
import type { ProvenEvent } from './leaves.js';
import { linkOf } from './links.js';
import { GrowingTree } from './merkle.js';

/** Every one of the first thousand is tampered with; those after are for the heads that follow. */
const TAMPERED = 1_000;
const EVENTS = 1_100;
const HEAD_EVERY = 100;
const STREAMS = 7;
const AT = '2026-11-23T12:00:00.000Z';
const signingKey = signingKeyOf(newSigningKey());
const key = createPublicKey(signingKey);

/** Conversations, whose events are linked, and streams of receipts, whose events are not. */
const eventsOf = (count: number): ProvenEvent[] => {
  const last = new Map<string, ProvenEvent>();
  return Array.from({ length: count }, (_, index) => {
    const number = index % STREAMS;
    const stream = number < 4 ? `conversation-${number}` : `receipts-0${number}`;
    const before = last.get(stream);
    const text = { sealed: { subject: 'a', box: `box ${index}`, commit: `commit ${index}` } };
    const data = number < 4 ? { v: 1, by: 'a', at: AT, number: index, ...text } : { marks: index };
    const event: ProvenEvent = {
      type: number < 4 ? 'MessageSent' : 'MarksMoved',
      id: `event-${index}`,
      stream,
      revision: (before?.revision ?? -1) + 1,
      data: number < 4 ? { ...data, prev: before ? linkOf(before) : '' } : data,
    };
    last.set(stream, event);
    return event;
  });
};

/** An export whose last event has no head after it. */
const exportOf = (events: readonly ProvenEvent[], signed: readonly SignedHead[] = []): string[] => {
  const tree = new GrowingTree();
  const lines = [headerLine(AT)];
  let heads = 0;
  for (const [index, event] of events.entries()) {
    const { line, leaf } = eventLine(event, index);
    lines.push(line);
    tree.append(leaf);
    if (tree.size % HEAD_EVERY !== 0) continue;
    const head = { size: tree.size, root: tree.root().toString('hex'), position: index, at: AT };
    // Who has not the key can only put in the heads that were signed.
    lines.push(headLine(signed[heads] ?? signHead(head, signingKey)));
    heads += 1;
  }
  return [...lines, footerLine(events.length, heads)];
};

const check = (lines: readonly string[], published?: readonly SignedHead[]): Checked => {
  const checked = new ExportCheck({ key, ...(published ? { published } : {}) });
  for (const line of lines) checked.line(line);
  return checked.end();
};

const sound = eventsOf(EVENTS);
const lines = exportOf(sound);
const headsOf = (from: readonly string[]): SignedHead[] =>
  from
    .filter((line) => line.startsWith('{"head"'))
    .map((line) => (JSON.parse(line) as { head: SignedHead }).head);
const published = headsOf(lines);
const lineAt = (index: number): number => 1 + index + Math.floor(index / HEAD_EVERY);

const eventAt = (index: number): ProvenEvent => {
  const event = sound[index];
  if (!event) throw new Error(`There is no event ${index}.`);
  return event;
};
const altered = (event: ProvenEvent): ProvenEvent => ({ ...event, id: `${event.id}'` });
const flipped = (line: string, offset: number): string =>
  line.slice(0, offset) + String.fromCharCode(line.charCodeAt(offset) ^ 1) + line.slice(offset + 1);
const chainOf = (from: readonly string[]): string | undefined => {
  const checked = new ExportCheck({ key, chainOf: 'receipts-04' });
  for (const line of from) checked.line(line);
  return checked.end().chain;
};

describe('an export', () => {
  it('[Z2] that nobody touched is as it was signed, up to its last head', () => {
    expect(check(lines, published)).toEqual({
      events: EVENTS,
      heads: EVENTS / HEAD_EVERY,
      proven: EVENTS,
      problems: [],
      more: 0,
    });
    const unproven = check(exportOf(sound.slice(0, 950)));
    expect(unproven).toMatchObject({ events: 950, proven: 900, problems: [] });
  });

  it('[Z2] [V21] is found wrong wherever a record was flipped, dropped, doubled or swapped', () => {
    for (let index = 0; index < TAMPERED; index += 1) {
      const at = lineAt(index);
      const line = lines[at] ?? '';
      const next = lines[at + 1]?.startsWith('{"event"') ? at + 1 : at - 1;
      const copies = {
        flip: lines.with(at, flipped(line, (index * 31) % line.length)),
        drop: lines.toSpliced(at, 1),
        insert: lines.toSpliced(at, 0, line),
        swap: lines.with(at, lines[next] ?? '').with(next, line),
      };
      for (const [how, copy] of Object.entries(copies)) {
        const { problems } = check(copy.slice(0, at + 2));
        const distance = Math.abs((problems[0]?.index ?? -9) - index);
        expect(distance, `${how} ${index}: ${JSON.stringify(problems[0])}`).toBeLessThanOrEqual(1);
      }
    }
  });

  it('[Z2] [V21] is found wrong also where whoever altered it made all its lines anew', () => {
    const ways = [
      (index: number) => sound.with(index, altered(eventAt(index))),
      (index: number) => sound.toSpliced(index, 1),
      (index: number) => sound.toSpliced(index, 0, altered(eventAt(index))),
      (index: number) => sound.with(index, eventAt(index + 1)).with(index + 1, eventAt(index)),
    ];
    for (let index = 0; index < TAMPERED; index += 1) {
      const copy = ways[index % ways.length]?.(index) ?? [];
      const end = Math.ceil((index + 1) / HEAD_EVERY) * HEAD_EVERY;
      const { problems } = check(exportOf(copy.slice(0, end), published));
      const isNamed = problems.some(({ index: from, to = from }) => from <= index && to >= index);
      expect(isNamed, `${index}: ${JSON.stringify(problems)}`).toBe(true);
    }
  });

  it('[Z2] names the very event of a conversation, by the link that the next one carries', () => {
    for (const { stream, revision, id } of sound.slice(0, TAMPERED)) {
      if (!stream.startsWith('conversation-')) continue;
      const index = sound.findIndex((event) => event.id === id);
      if (index > 50) break;
      const copy = sound.with(index, altered(eventAt(index)));
      expect(check(exportOf(copy, published)).problems[0]).toMatchObject({
        stream,
        revision: revision + 1,
        what: expect.stringContaining(`revision ${revision} of its stream`) as string,
      });
    }
  });

  it('[Z2] [V21] that was cut off is found, and where', () => {
    for (let end = 1; end < lines.length; end += 7) {
      const { problems, events } = check(lines.slice(0, end), published);
      expect(problems).toContainEqual({
        what: `Line ${end}: The last line is missing: the file was cut off.`,
        index: events,
      });
    }
    // Cut off at a head, with a last line that fits: only heads from outside tell.
    const kept = exportOf(sound.slice(0, 600));
    expect(check(kept).problems).toEqual([]);
    expect(check(kept, published).problems[0]).toMatchObject({ index: 600, to: 699 });
  });

  it('[Z2] [V21] of a forked log is found by its two heads', () => {
    const other = exportOf([...sound.slice(0, 650), ...eventsOf(EVENTS).slice(650).map(altered)]);
    const forked = check(lines, headsOf(other)).problems;
    expect(forked[0]?.what).toContain('Two signed heads over 700 leaves have different roots');
    expect(forked[0]?.index).toBe(699);
    expect(check(lines, [...published, ...headsOf(other)]).problems[0]?.index).toBe(699);
  });

  it('[Z2] is not believed when another key signed it, or a head was altered or moved', () => {
    const stranger = signingKeyOf(newSigningKey());
    const [first] = published;
    if (!first) throw new Error('There is no head.');
    const { size, root, position, at } = first;
    const forged = signHead({ size, root, position, at }, stranger);
    const place = lineAt(HEAD_EVERY) - 1;
    for (const head of [forged, { ...forged, key: keyIdOf(key) }, { ...first, position: 1 }])
      expect(check(lines.with(place, headLine(head))).problems[0]?.what).toContain('not signed');
    const moved = lines.toSpliced(place, 1).toSpliced(place + 1, 0, headLine(first));
    expect(check(moved).problems[0]?.what).toBe('The head over 100 leaves stands after 101.');
  });

  it('[abuse 120] with a gap in a stream says which revisions are missing', () => {
    const cut = sound.filter(({ stream, revision }) => stream !== 'receipts-05' || revision > 3);
    expect(check(exportOf(cut)).problems).toEqual([
      expect.objectContaining({
        stream: 'receipts-05',
        revision: 4,
        what: 'Revisions 0 to 3 of the stream are missing before it.',
      }),
    ]);
  });

  it('has a chain for each stream, which every event before changes', () => {
    const chain = chainOf(lines);
    expect(chain).toMatch(/^[0-9a-f]{64}$/);
    expect(chainOf(exportOf(sound.with(0, altered(eventAt(0)))))).toBe(chain);
    expect(chainOf(exportOf(sound.with(4, altered(eventAt(4)))))).not.toBe(chain);
  });
});

describe('a key', () => {
  it('is read as PEM and as base64, and of no other kind', () => {
    const pem = key.export({ type: 'spki', format: 'pem' }).toString();
    expect(keyIdOf(publicKeyOf(pem))).toBe(keyIdOf(key));
    expect(keyIdOf(publicKeyOf(writtenKey(key)))).toBe(keyIdOf(signingKey));
    expect(() => publicKeyOf('bm8=')).toThrow('Failed to read');
  });
});

describe('canonical JSON', () => {
  it('is that of RFC 8785', () => {
    // The RFC's own samples, 3.2.2 and 3.2.3.
    const sample = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonical(sample)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    const names = {
      '\u20ac': 1,
      '\r': 2,
      '\ufb33': 3,
      '1': 4,
      '\ud83d\ude00': 5,
      '\u0080': 6,
      ö: 7,
    };
    expect(canonical(names)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}');
    expect(() => canonical({ a: Number.NaN })).toThrow('NaN');
  });
});
