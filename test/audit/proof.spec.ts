/* oxlint-disable typescript/no-unsafe-type-assertion -- what the tool printed is what is tested */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  EVERY_STREAM,
  EventStoreDb,
  LocalKeys,
  SystemClock,
  type EventStore,
  type LogEvent,
} from '#platform';
import { checkProofFile, isProven, publicKeyOf } from '#proof';
import { Platform, startPlatform, until } from '#testing';
import { ask, someone, type Someone } from '../delivery/someone.js';
import { auditing } from './auditor.js';

const PURPOSE = ['--purpose', 'a court asked', '--as', 'Grace Hopper'];
const NASTY = '</script><script>alert("x")</script> & “quotes” \u2028';

let platform: Platform;
let folder: string;
let store: EventStoreDb;
let ada: Someone;
let bob: Someone;
let eve: Someone;
let room: string;
let key: string;
const audit = auditing(() => platform.settings);
const at = (name: string) => join(folder, name);

/** The log's head covers all that was written until now. */
const sealed = async (): Promise<void> => {
  const end = (await store.head(['conversation-', 'user-']))?.position ?? 0;
  await until(async () => {
    const { status, body } = await ask(platform, ada, '/v1/log/head');
    return status === 200 && (body as { position: number }).position >= end;
  });
};

const download = async (who: Someone, format: 'json' | 'html', query = ''): Promise<string> => {
  const answer = await fetch(
    `${platform.url.rest}/v1/conversations/${room}/proof?format=${format}${query}`,
    { headers: { authorization: `Bearer ${who.token}` } },
  );
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.text();
};

const verified = async (text: string) => {
  writeFileSync(at('proof'), text);
  const { code, output } = await audit('verify-proof', at('proof'), '--key', key, '--json');
  return {
    code,
    ...(JSON.parse(output) as { problems: string[]; opened: number; sealed: number }),
  };
};

const everything = async (from: EventStore): Promise<LogEvent[]> =>
  [...(await from.readAll(EVERY_STREAM, undefined, 1_000_000))].filter(({ stream }) =>
    isProven(stream),
  );

/** A copy of the log in a server of its own, with something done to its events. */
const copied = async (change: (events: LogEvent[]) => readonly LogEvent[]) => {
  const events = change(await everything(store));
  const copy = new Platform(mkdtempSync(join(folder, 'copy-')), true, {});
  await copy.start('event-store');
  const into = new EventStoreDb(copy.settings['EVENTSTORE_URL'] ?? '');
  for (const { stream, revision: _revision, position: _position, ...event } of events)
    await into.append(stream, 'any', [event]);
  await into.close();
  return copy;
};
const isNear = ({ index, to = index }: { index: number; to?: number }, place: number) =>
  index <= place + 1 && to >= place - 1;

const checkedCopy = async (change: (events: LogEvent[]) => readonly LogEvent[]) => {
  const copy = await copied(change);
  try {
    const run = auditing(() => copy.settings);
    const { output } = await run('verify', '--key', key, '--heads', at('heads.jsonl'), '--json');
    return JSON.parse(output) as {
      problems: { what: string; index: number; to?: number; revision?: number }[];
    };
  } finally {
    await copy.stop();
  }
};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scripta-proof-'));
  const env = { HEADS_EVERY_S: '1', HEADS_FILE: join(folder, 'heads.jsonl') };
  platform = await startPlatform({ audited: true, env });
  store = new EventStoreDb(platform.settings['EVENTSTORE_URL'] ?? '');
  ada = await someone(platform, 'Ada');
  bob = await someone(platform, 'Bob');
  eve = await someone(platform, 'Eve');
  await ada.client.connect();
  await bob.client.connect();
  const group = { name: 'Engines', members: [bob.userId] };
  room = (await ada.client.startGroup(group)).conversationId;
  await ada.client.send(room, NASTY);
  await bob.client.send(room, 'said by Bob');
  for (let count = 0; count < 300; count += 1) await ada.client.send(room, `message ${count}`);
  await sealed();
  key = at('key.pem');
  const answer = await fetch(`http://127.0.0.1:${platform.port('auditor')}/audit/key`);
  writeFileSync(key, await answer.text());
});

afterAll(async () => {
  await ada?.client.close();
  await bob?.client.close();
  await store?.close();
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the proof of a conversation', () => {
  it('[Z17] is given to a member, and a third party accepts it with nothing but the key', async () => {
    const proof = await download(ada, 'json');
    const { code, problems, opened } = await verified(proof);
    expect(problems).toEqual([]);
    expect(code).toBe(0);
    expect(opened).toBe(303);
    expect(proof).toContain('said by Bob');
    const page = await download(ada, 'html');
    expect(await verified(page)).toMatchObject({ code: 0, problems: [], opened: 303 });
    expect(page).toContain('<p>said by Bob</p>');
    expect(page).not.toContain('<script>alert');
    expect(await verified(await download(ada, 'json', '&from=3&limit=2'))).toMatchObject({
      code: 0,
      gaps: [[0, 2]],
    });
  });

  it('[Z17] is given to nobody who was not there', async () => {
    await expect(download(eve, 'json')).rejects.toThrow('404');
  });

  it('[Z17] that was altered anywhere is rejected', async () => {
    const files = { json: await download(ada, 'json'), html: await download(ada, 'html') };
    const publicKey = publicKeyOf(readFileSync(key, 'utf8'));
    for (const text of Object.values(files)) {
      expect((await verified(text.replace('said by Bob', 'said by Rob'))).code).toBe(1);
      const isRefused = (altered: string) => checkProofFile(altered, publicKey).problems.length > 0;
      expect(isRefused(text)).toBe(false);
      expect(isRefused(text.replaceAll('said by Bob', 'said by Rob'))).toBe(true);
      expect(isRefused(text.replaceAll(bob.userId, ada.userId))).toBe(true);
      for (let part = 1; part < 60; part += 1) {
        const offset = Math.floor((text.length * part) / 60);
        const flipped = String.fromCharCode(text.charCodeAt(offset) ^ 1);
        const altered = text.slice(0, offset) + flipped + text.slice(offset + 1);
        expect(isRefused(altered), `character ${offset}`).toBe(true);
      }
    }
    // Of a small one every character, also those of names and of the key.
    const small = await download(ada, 'json', '&from=3&limit=2');
    for (let offset = 0; offset < small.length - 1; offset += 1) {
      const flipped = String.fromCharCode(small.charCodeAt(offset) ^ 1);
      const altered = small.slice(0, offset) + flipped + small.slice(offset + 1);
      expect(checkProofFile(altered, publicKey).problems.length > 0, `character ${offset}`).toBe(
        true,
      );
    }
    // One entry less, also where what is left is written as it should be.
    const proof = JSON.parse(files.json) as { entries: object[] };
    const less = { ...proof, entries: proof.entries.toSpliced(1, 1) };
    expect(await verified(`${JSON.stringify(less)}\n`)).toMatchObject({ gaps: [[1, 1]] });
  });

  it('[Z17] [V22] holds also after an author was erased, before and after', async () => {
    const before = await download(ada, 'json');
    const keys = await LocalKeys.open(
      { dataDir: platform.dataDir, masterKey: '' },
      new SystemClock(),
    );
    await keys.destroy(bob.userId);
    await keys.close();
    expect(await verified(before)).toMatchObject({ code: 0, opened: 303, sealed: 0 });
    // A process uses a destroyed key for half a minute at most.
    await platform.kill('command-api');
    await platform.start('command-api');
    const after = await download(ada, 'html');
    expect(await verified(after)).toMatchObject({ code: 0, opened: 302, sealed: 1 });
    expect(after).not.toContain('said by Bob');
    expect((await audit('verify')).code).toBe(0);
  });

  it('[Z17] is made by an auditor too, from any log, and opened only on demand', async () => {
    const made = await audit('prove', room, '--out', at('made.html'), '--html', ...PURPOSE);
    expect(made.code).toBe(0);
    const text = readFileSync(at('made.html'), 'utf8');
    expect(await verified(text)).toMatchObject({ code: 0, opened: 0, sealed: 303 });
    const opened = await audit('prove', room, '--open', ...PURPOSE);
    expect(await verified(opened.output)).toMatchObject({ code: 0, opened: 302 });
  });

  it('[Z17] [C11] proves a message that was taken back, and opens it to nobody', async () => {
    const { messageId } = await ada.client.send(room, 'soon taken back');
    await ada.client.messages.edit(room, messageId, { text: 'taken back soon' });
    await ada.client.messages.delete(room, messageId);
    await sealed();
    const proof = await download(ada, 'json');
    expect(proof).toContain(messageId);
    expect(proof).not.toMatch(/soon taken back|taken back soon/);
    expect(await verified(proof)).toMatchObject({ code: 0, problems: [], opened: 302, sealed: 3 });
  });
});

describe('a log with signed heads', () => {
  it('[Z2] is as it was signed, with every head that was published', async () => {
    const { code, output } = await audit('verify', '--heads', at('heads.jsonl'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ problems: [] });
    expect((JSON.parse(output) as { heads: number }).heads).toBeGreaterThanOrEqual(1);
  });

  it('[Z2] [V21] that was altered, cut off or put in another order is found out', async () => {
    const events = await everything(store);
    const place = events.findIndex(
      ({ stream, revision }) => stream === `conversation-${room}` && revision === 100,
    );
    const victim = events[place] as LogEvent;
    const altered = { ...victim, data: { ...victim.data, number: 7 } };
    const ways: ((log: LogEvent[]) => readonly LogEvent[])[] = [
      (log) => log.with(place, altered),
      (log) => log.toSpliced(place, 1),
      (log) => log.toSpliced(place, 0, { ...altered, id: crypto.randomUUID() }),
      (log) => log.with(place, log[place + 1] as LogEvent).with(place + 1, victim),
    ];
    for (const way of ways) {
      const { problems } = await checkedCopy(way);
      expect(problems.some((problem) => isNear(problem, place))).toBe(true);
    }
    // An older state of the log, whose own heads are all right: only those outside tell.
    const { problems } = await checkedCopy((log) => log.slice(0, place));
    expect(problems[0]?.what).toContain('are missing, which were signed at');
    expect(problems[0]).toMatchObject({ index: place });
  });

  it('[Z2] is exported, and the file verifies with nothing but the key', async () => {
    const file = at('export.jsonl');
    const { code, errors } = await audit('export', '--out', file, ...PURPOSE);
    expect(errors).not.toContain('WRONG');
    expect(code).toBe(0);
    const bare = auditing(() => ({ EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false' }));
    const options = ['--key', key, '--heads', at('heads.jsonl')];
    expect((await bare('verify-export', file, ...options)).code).toBe(0);
    const chain = await bare('verify-export', file, ...options, '--chain', `conversation-${room}`);
    expect(chain.output).toMatch(/^chain [0-9a-f]{64}$/m);
    const lines = readFileSync(file, 'utf8').split('\n');
    const place = lines.findIndex((line) => line.includes('"number":50'));
    writeFileSync(
      file,
      lines.with(place, (lines[place] ?? '').replace('"number":50', '"number":51')).join('\n'),
    );
    const altered = await bare('verify-export', file, ...options);
    expect(altered.code).toBe(1);
    expect(altered.output).toContain(`conversation-${room} revision`);
  });
});
