/* oxlint-disable typescript/no-unsafe-type-assertion -- events are bent out of their types here */
import { hash, randomUUID } from 'node:crypto';
import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataOf, ScriptaEvent } from '#domain';
import { conversationEvents } from '#domain';
import { MemoryKeys } from '#testing';
import { SystemRandom } from './clock.js';
import { UnreadableEvent } from './codec.js';
import { shapeOf } from './event-shapes.js';
import type { LogEvent } from './event-store.js';
import { JsonCodec } from './json-codec.js';
import { linked, linkOf } from './links.js';
import type { SubjectKey } from './keys.js';
import { canonicalTexts, isSealed, seal, unseal, type Sealed } from './sealing.js';

const ADA = randomUUID();
const stamp = {
  by: ADA,
  at: '2026-11-23T12:00:00.000Z',
  origin: { command: randomUUID(), device: randomUUID(), n: 1 },
};
const conversationId = randomUUID();

const sent = (text: string): ScriptaEvent => ({
  type: 'MessageSent',
  data: { ...stamp, conversationId, messageId: randomUUID(), number: 1, text },
});
const left: ScriptaEvent = { type: 'MemberLeft', data: { ...stamp, conversationId, userId: ADA } };

const opening = () => {
  const keys = new MemoryKeys();
  const codec = new JsonCodec(keys, new SystemRandom());
  const log = async (event: ScriptaEvent): Promise<LogEvent> => {
    const envelope = { id: randomUUID(), correlationId: randomUUID(), causationId: randomUUID() };
    const encoded = await codec.encode(event, envelope);
    // As it comes back from the log: through JSON.
    const json = JSON.parse(JSON.stringify(encoded)) as typeof encoded;
    return { ...json, stream: `conversation-${conversationId}`, revision: 7, position: 4_096 };
  };
  return { keys, codec, log };
};

const sealedOf = ({ data }: LogEvent): Sealed => {
  const { sealed } = data;
  if (!isSealed(sealed)) throw new Error('The event is not sealed.');
  return sealed;
};
const withData = (event: LogEvent, data: object): LogEvent => ({
  ...event,
  data: { ...event.data, ...data },
});

describe('an event in the log', () => {
  it('comes back as it was said, with its place and its cause', async () => {
    const { codec, log } = opening();
    const event = sent('Hello 🙂');
    const logged = await log(event);
    expect(await codec.decode(logged, true)).toEqual({
      ...event,
      id: logged.id,
      stream: logged.stream,
      revision: 7,
      position: 4_096,
      correlationId: logged.metadata['$correlationId'],
      causationId: logged.metadata['$causationId'],
    });
  });

  it('holds nothing personal in the clear', async () => {
    const { log } = opening();
    const canary = randomUUID();
    expect(JSON.stringify(await log(sent(canary)))).not.toContain(canary);
  });

  it('commits to its plaintext in RFC 8785 form, salted', async () => {
    const { keys, log } = opening();
    const logged = await log(sent('Hi'));
    const sealed = sealedOf(logged);
    const texts = unseal(sealed, logged, (await keys.ensure(ADA)) as SubjectKey);
    expect(Object.keys(texts)).toEqual(['salt', 'text']);
    expect(Buffer.from(String(texts['salt']), 'base64')).toHaveLength(32);
    expect(hash('sha256', canonicalize(texts) ?? '')).toBe(sealed.commit);
    expect(sealed.subject).toBe(ADA);
    expect(sealedOf(await log(sent('Hi'))).commit).not.toBe(sealed.commit);
  });

  it('[Z13] gives a client what it needs to check the text, and keeps the link when that is erased', async () => {
    const { keys, codec, log } = opening();
    const logged = await log(sent('Hi'));
    const [event] = linked([logged], 'a'.repeat(64), logged.revision).events;
    const inLog = { ...logged, ...event };
    const { proof, data } = await codec.decode(inLog, true);
    const { text } = data as { text: string };
    expect(proof).toMatchObject({ prev: 'a'.repeat(64), commit: sealedOf(logged).commit });
    expect(hash('sha256', canonicalize({ salt: proof?.salt, text }) ?? '')).toBe(proof?.commit);
    const link = linkOf(inLog, 7);
    await keys.destroy(ADA);
    const erased = await codec.decode(inLog, true);
    expect(erased.proof).toEqual({ prev: 'a'.repeat(64), commit: proof?.commit });
    expect(linkOf(inLog, 7)).toBe(link);
    expect(linkOf({ ...inLog, data: { ...inLog.data, number: 2 } }, 7)).not.toBe(link);
    expect(linkOf(inLog, 8)).not.toBe(link);
    expect((await codec.decode(logged, true)).proof).toBeUndefined();
  });

  it('reads without its personal leaves when nobody needs them, and asks for no key', async () => {
    const { keys, codec, log } = opening();
    const logged = await log(sent('Hi'));
    keys.find = () => {
      throw new Error('A key was asked for.');
    };
    const read = codec.decode(logged, false);
    expect(read).not.toBeInstanceOf(Promise);
    expect((await read).data).toMatchObject({ number: 1, text: '' });
  });

  it('reads at once where its key is at hand', async () => {
    const { codec, log } = opening();
    expect(codec.decode(await log(sent('Hi')), true)).not.toBeInstanceOf(Promise);
    expect(codec.decode(await log(left), true)).not.toBeInstanceOf(Promise);
  });

  it('reads as empty once the key was destroyed, and takes no more from that person', async () => {
    const { keys, codec, log } = opening();
    const logged = await log(sent('Hi'));
    await keys.destroy(ADA);
    expect((await codec.decode(logged, true)).data).toMatchObject({ number: 1, text: '' });
    await expect(log(sent('again'))).rejects.toThrow(/erased/u);
    expect((await codec.decode(await log(left), true)).type).toBe('MemberLeft');
  });

  it('leaves a personal field out that was never said', async () => {
    const { codec, log } = opening();
    const data = { ...stamp, conversationId, kind: 'group' as const };
    const nameless = await log({ type: 'ConversationStarted', data });
    expect(nameless.data['sealed']).toBeUndefined();
    expect((await codec.decode(nameless, true)).data).toEqual(data);
  });
});

const expectRefused = async (change: (event: LogEvent) => LogEvent, why: RegExp): Promise<void> => {
  const { codec, log } = opening();
  const read = async () => codec.decode(change(await log(sent('Hi'))), true);
  await expect(read).rejects.toThrow(UnreadableEvent);
  await expect(read).rejects.toThrow(why);
  await expect(read).rejects.toThrow(/MessageSent at conversation-.*@7 \(position 4096\)/u);
};
const flipped = (box: string): string => {
  const bytes = Buffer.from(box, 'base64');
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  return bytes.toString('base64');
};

describe('an event that was tampered with', () => {
  it('is refused with another box', () =>
    expectRefused((event) => {
      const sealed = sealedOf(event);
      return withData(event, { sealed: { ...sealed, box: flipped(sealed.box) } });
    }, /seal cannot be opened/u));

  it('is refused with another commitment', () =>
    expectRefused((event) => {
      const sealed = { ...sealedOf(event), commit: '0'.repeat(64) };
      return withData(event, { sealed });
    }, /seal cannot be opened/u));

  it('is refused under another id', () =>
    expectRefused((event) => ({ ...event, id: randomUUID() }), /seal cannot be opened/u));

  it('is refused as sealed for somebody else', () =>
    expectRefused((event) => withData(event, { by: randomUUID() }), /somebody else/u));

  it('is refused with its text in the clear beside the seal', () =>
    expectRefused((event) => withData(event, { text: 'forged' }), /does not know/u));
});

describe('an event that breaks its schema', () => {
  const breaks: [string, object][] = [
    ['a missing field', { number: undefined }],
    ['an unknown field', { extra: 1 }],
    ['a number in quotes', { number: '1' }],
    ['half a number', { number: 1.5 }],
    ['an id that is none', { messageId: 'm-1' }],
    ['an id in capitals', { messageId: randomUUID().toUpperCase() }],
    ['a time that is none', { at: 'yesterday' }],
    ['half of a character', { text: '\ud83d' }],
    ['a text that is none', { text: 7 }],
    ['an unknown field inside', { origin: { ...stamp.origin, more: 1 } }],
    ['nothing where a record is', { origin: null }],
  ];

  it.each(breaks)('is not written with %s', async (_, change) => {
    const { codec } = opening();
    const event = sent('Hi');
    const broken = { ...event, data: { ...event.data, ...change } } as unknown as ScriptaEvent;
    const envelope = { id: randomUUID(), correlationId: 'c', causationId: 'c' };
    await expect(codec.encode(broken, envelope)).rejects.toThrow(UnreadableEvent);
  });

  it.each(breaks.filter(([, change]) => !('text' in change)))(
    'is not read with %s',
    async (_, change) => {
      const { codec, log } = opening();
      const logged = JSON.parse(
        JSON.stringify(withData(await log(sent('Hi')), change)),
      ) as LogEvent;
      expect(() => codec.decode(logged, true)).toThrow(UnreadableEvent);
      expect(() => codec.decode(logged, false)).toThrow(UnreadableEvent);
    },
  );

  it('is not read when its type is unknown, or its version is from the future', async () => {
    const { codec, log } = opening();
    const logged = await log(sent('Hi'));
    expect(() => codec.decode({ ...logged, type: 'Said' }, true)).toThrow(/know the type/u);
    expect(() => codec.decode(withData(logged, { v: 99 }), true)).toThrow(/version 99/u);
    expect(() => codec.decode(withData(logged, { v: 'one' }), true)).toThrow(/version one/u);
  });

  it('is not read when nothing says what caused it', async () => {
    const { codec, log } = opening();
    const logged = { ...(await log(sent('Hi'))), metadata: {} };
    expect(() => codec.decode(logged, true)).toThrow(/caused/u);
  });
});

describe('an event of an older version', () => {
  const upcasters = {
    MessageSent: {
      [-1]: ({ body, ...data }: DataOf<never>) => ({ ...data, said: body }),
      0: ({ said, ...data }: DataOf<never>) => ({ ...data, ...(said ? { text: said } : {}) }),
      1: (data: DataOf<never>) => data,
      2: (data: DataOf<never>) => data,
    },
  };

  it('is brought up to date step by step, opened or not, erased or not', async () => {
    const { keys, codec, log } = opening();
    const today = await log(sent('Hi'));
    const key = (await keys.ensure(ADA)) as SubjectKey;
    const old = seal({ body: 'Hi' }, today, key, new SystemRandom());
    const logged = withData(today, { v: -1, sealed: { subject: ADA, ...old } });
    const reader = new JsonCodec(keys, new SystemRandom(), upcasters as never);
    const now = await codec.decode(today, true);
    expect((await reader.decode(logged, true)).data).toEqual(now.data);
    expect((await reader.decode(logged, false)).data).toEqual({ ...now.data, text: '' });
    await keys.destroy(ADA);
    expect((await reader.decode(logged, true)).data).toEqual({ ...now.data, text: '' });
  });
});

describe('the canonical form of texts', () => {
  it('is that of RFC 8785 for any names and texts', () => {
    const texts = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), {
      maxKeys: 5,
    });
    fc.assert(
      fc.property(texts, (record) => {
        // Halves of surrogate pairs are refused before they come here.
        const entries = Object.entries(record).map(([name, text]) => [name, text.toWellFormed()]);
        const sound = Object.fromEntries(entries) as Record<string, string>;
        expect(canonicalTexts(sound)).toBe(canonicalize(sound));
      }),
    );
  });
});

describe('a schema', () => {
  const { fields } = conversationEvents.MessageSent;

  it('cannot use the names of what the codec writes', () => {
    const sealed = { version: 1, subject: 'by', fields: { ...fields, sealed: fields.text } };
    expect(() => shapeOf('Bad', sealed)).toThrow(/codec's own/u);
  });

  it('cannot hold personal leaves of nobody', () => {
    expect(() => shapeOf('Bad', { version: 1, subject: 'who', fields })).toThrow(/no person/u);
  });
});
