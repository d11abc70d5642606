/* oxlint-disable typescript/no-unsafe-type-assertion -- what the tool printed is what is tested */
import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS_STREAM } from '#domain';
import { EventStoreDb, JsonCodec, SystemRandom, type NewEvent } from '#platform';
import { chatterOf, logged, MemoryKeys, Platform, until } from '#testing';
import { auditing, following, rows } from './auditor.js';

const PURPOSE = ['--purpose', 'to see', '--json'];
const SEED = 5;

let server: Platform;
let store: EventStoreDb;
let stream: string;
let length: number;
const audit = auditing(() => server.settings);

const foreign = (type: string, metadata: object = {}): NewEvent => ({
  id: randomUUID(),
  type,
  data: { at: '2026-11-23T12:00:00.000Z', anything: [1, { two: null }] },
  metadata: { ...metadata },
});

beforeAll(async () => {
  server = new Platform(mkdtempSync(join(tmpdir(), 'scripta-log-')), true, {});
  await server.start('event-store');
  store = new EventStoreDb(server.settings['EVENTSTORE_URL'] ?? '');
  const codec = new JsonCodec(new MemoryKeys(), new SystemRandom());
  const said = await logged(codec, chatterOf({ seed: SEED, events: 200, people: 4, rooms: 2 }));
  for (const { stream: name, revision: _revision, position: _position, ...event } of said)
    await store.append(name, 'any', [event]);
  const last = said.findLast((event) => event.stream.startsWith('conversation-'));
  stream = last?.stream ?? '';
  length = said.filter((event) => event.stream === stream).length;
});

afterAll(async () => {
  await store?.close();
  await server?.stop();
});

describe('a log without a platform', () => {
  it(`[Z1] is replayed, and its states told, by its server's URL alone (seed ${SEED})`, async () => {
    const events = rows(await audit('replay', '--stream', stream, ...PURPOSE));
    expect(events).toHaveLength(length);
    const [state] = rows(await audit('state', stream, ...PURPOSE));
    expect(state).toMatchObject({ seq: length - 1, missing: 0 });
  });

  it('[Z1] [Z16] is followed from now on, which is written down before anything is shown', async () => {
    const before = (await store.read(ACCESS_STREAM, 0)).length;
    const coming = [foreign('Coming'), foreign('Coming'), foreign('Coming')];
    const lines = await following(server.settings, ['--stream', 'coming-*', ...PURPOSE], {
      lines: coming.length,
      begun: async () => {
        await until(async () => (await store.read(ACCESS_STREAM, 0)).length > before);
        for (const event of coming) await store.append('coming-stream', 'any', [event]);
      },
    });
    const shown = lines.map((line) => (JSON.parse(line) as { id: string }).id);
    expect(shown).toEqual(coming.map(({ id }) => id));
    const [access] = (await store.read(ACCESS_STREAM, before)).map(({ data }) => data);
    expect(access).toMatchObject({ scope: 'stream coming-*', to: -1, content: 'sealed' });
  });

  it('[Z2] that nobody has signed says so', async () => {
    const { code, errors } = await audit('verify');
    expect(code).toBe(1);
    expect(errors).toContain('No head was signed');
    const { errors: proof } = await audit(
      'prove',
      stream.slice('conversation-'.length),
      ...PURPOSE,
    );
    expect(proof).toContain('No head was signed');
  });

  it('[abuse 116] shows what no version knows as it stands', async () => {
    const unknown = foreign('SomethingElse');
    await store.append('strange-stream', 'any', [unknown]);
    const shown = rows(await audit('replay', '--stream', 'strange-stream', ...PURPOSE));
    expect(shown).toMatchObject([
      { id: unknown.id, type: 'SomethingElse', data: unknown.data, content: { state: 'none' } },
    ]);
    // A fold does not guess: it says which event it cannot read.
    const conversation = `conversation-${randomUUID()}`;
    await store.append(conversation, 'any', [foreign('SomethingElse')]);
    const { code, errors } = await audit('state', conversation, ...PURPOSE);
    expect(code).toBe(1);
    expect(errors).toContain(`SomethingElse at ${conversation}@0`);
  });

  it('[abuse 122] shows metadata only as far as it is known', async () => {
    const forged = foreign('Forged', { $correlationId: 'x'.repeat(10_000), phone: '+491511' });
    await store.append('forged-stream', 'any', [forged]);
    const run = await audit('replay', '--stream', 'forged-stream', ...PURPOSE);
    expect(run.output).not.toContain('+491511');
  });

  it('[abuse 120] with a truncated stream says how much is missing', async () => {
    await store.keepLatest(stream);
    const [state] = rows(await audit('state', stream, ...PURPOSE));
    expect(state).toMatchObject({ seq: length - 1, folded: 1, missing: length - 1 });
  });
});
