import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { builtPath } from '../../tools/start/programs.js';
import { startPlatform, type Platform } from '../../tools/start/platform.js';
import { talk } from './history.js';

const REPLAY = builtPath('tools/replay/main.js');
/** Longer than anything takes that is not broken, on a busy machine. */
const RUN_MS_MAX = 120_000;
const PEOPLE = 12;
const ROOMS = 3;
const MESSAGES = 150;
/** Enough that sending takes some seconds, in which parts are killed. */
const CHAOS_MESSAGES = 900;

const seed = Number(process.env['SCRIPTA_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const outcome = z.strictObject({
  sent: z.number(),
  delivered: z.number(),
  lost: z.number(),
  duplicated: z.number(),
  misordered: z.number(),
  seconds: z.number(),
});
const chaotic = outcome.extend({ kills: z.number(), cuts: z.number() });

let folder: string;
let platform: Platform;
const log: string[] = [];

const given = () => {
  const { SCRIPTA_EVENTSTORE_URL: eventstore, SCRIPTA_MONGODB_URL: mongodb } = process.env;
  return {
    ...(eventstore ? { EVENTSTORE_URL: eventstore } : {}),
    ...(mongodb ? { MONGODB_URL: mongodb } : {}),
  };
};

/** Runs the tool as a person would, against the platform of this test. */
const replay = async (...args: string[]) => {
  const child = spawn(process.execPath, [REPLAY, ...args]);
  const said = { out: '', err: '' };
  child.stdout.on('data', (bytes: Buffer) => (said.out += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (said.err += bytes.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { ...said, code, last: said.out.trim().split('\n').at(-1) ?? '' };
};

const historyFile = async (name: string): Promise<string> => {
  const file = join(folder, name);
  const lines = talk(seed, { rooms: ROOMS, people: PEOPLE, messages: MESSAGES }).map((message) =>
    JSON.stringify({ ...message, ts: '2026-01-01T00:00:00Z', kind: 'message' }),
  );
  await writeFile(file, lines.join('\n'));
  return file;
};

beforeAll(async () => {
  process.stdout.write(`seed ${seed}\n`);
  folder = await mkdtemp(join(tmpdir(), 'scripta-replay-'));
  platform = await startPlatform({
    dataDir: folder,
    env: { ...given(), RATE_LIMIT_COMMANDS: 'false', TEST_NUMBERS: '+1555:424242' },
    print: (part: string, line: string) => log.push(`${part} | ${line}`),
  });
}, RUN_MS_MAX);

afterAll(async () => {
  await platform.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('a replay', () => {
  it(
    'proves that a history reached every device once and in order, also a second time',
    async () => {
      const file = await historyFile('talk.jsonl');
      const deliveries = async () => {
        const { code, err, last } = await replay(file, '--url', platform.urls.public, '--json');
        expect({ code, err }).toMatchObject({ code: 0 });
        const said = outcome.parse(JSON.parse(last));
        expect(said).toMatchObject({ sent: MESSAGES, lost: 0, duplicated: 0, misordered: 0 });
        return { delivered: said.delivered, err };
      };
      const first = await deliveries();
      expect(first.delivered).toBeGreaterThan(MESSAGES);
      expect(first.err).not.toContain('there before');
      const second = await deliveries();
      // Nothing was appended, so nothing is delivered; lists and history are as the file says.
      expect(second.delivered).toBe(0);
      expect(second.err).toContain(`${MESSAGES} of them there before`);
    },
    RUN_MS_MAX,
  );

  it(
    'says what is off when the file is not what was said, and ends with code 1',
    async () => {
      const file = await historyFile('other.jsonl');
      const said = talk(seed, { rooms: ROOMS, people: PEOPLE, messages: MESSAGES });
      // Not an author's only one in the room: without it the group would be another.
      const missing = said.findIndex(({ room, author }, at) =>
        said.slice(0, at).some((before) => before.room === room && before.author === author),
      );
      const lines = said
        .toSpliced(missing, 1)
        .map((message) => JSON.stringify({ ...message, kind: 'message' }));
      await writeFile(file, lines.join('\n'));
      const { code, err } = await replay(file, '--url', platform.urls.public);
      expect(code).toBe(1);
      expect(err).toMatch(/History of room-\d+-\d+ has \d+ messages, the file \d+/u);
    },
    RUN_MS_MAX,
  );

  it(
    'asks for test numbers where the platform has none',
    async () => {
      const file = await historyFile('talk.jsonl');
      const args = ['--url', platform.urls.public, '--test-numbers', '+1777:111111'];
      const { code, err } = await replay(file, ...args);
      expect(code).toBe(1);
      expect(err).toContain('has to know the test numbers +1777:111111');
    },
    RUN_MS_MAX,
  );

  it(
    'names the line that is not a message, and a file that is not there',
    async () => {
      const file = join(folder, 'broken.jsonl');
      await writeFile(
        file,
        '{"id":"1","room":"r","author":"a","kind":"message","text":"x"}\n{"id":2}',
      );
      const url = ['--url', platform.urls.public];
      expect((await replay(file, ...url)).err).toContain('broken.jsonl:2 is not a message');
      expect((await replay(join(folder, 'none.jsonl'), ...url)).err).toContain('cannot be read');
    },
    RUN_MS_MAX,
  );

  it(
    '[T9] loses, doubles and misorders nothing while parts are killed and connections are cut',
    async () => {
      const file = join(folder, 'chaos.jsonl');
      const lines = talk(seed, { rooms: ROOMS, people: PEOPLE, messages: CHAOS_MESSAGES });
      const asFile = lines.map((message) => JSON.stringify({ ...message, kind: 'message' }));
      await writeFile(file, asFile.join('\n'));
      const { code, err, last } = await replay(file, '--chaos', '--seed', String(seed), '--json');
      expect({ code, err }).toMatchObject({ code: 0 });
      expect(err).toContain(`seed ${seed}`);
      const said = chaotic.parse(JSON.parse(last));
      expect(said).toMatchObject({ sent: CHAOS_MESSAGES, lost: 0, duplicated: 0, misordered: 0 });
      expect(said.kills).toBeGreaterThan(0);
      expect(said.cuts).toBeGreaterThan(0);
    },
    RUN_MS_MAX,
  );

  it('refuses to kill the parts of a platform that it did not start', async () => {
    const file = await historyFile('talk.jsonl');
    const { code, err } = await replay(file, '--chaos', '--url', platform.urls.public);
    expect(code).toBe(1);
    expect(err).toContain('goes without --url');
  });
});
