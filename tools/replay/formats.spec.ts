import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHistory } from './formats.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scripta-formats-'));
});
afterAll(() => rm(folder, { recursive: true }));

const reading = async (name: string, text: string) => {
  const file = join(folder, name);
  await writeFile(file, text);
  return readHistory(file);
};

describe("WhatsApp's Android export", () => {
  it('has authors, messages of several lines, and a voice of its own, which is left out', async () => {
    const messages = await reading(
      'chat.txt',
      [
        '06/03/2017, 00:45 - Messages to this group are now secured. Tap for more info.',
        '06/03/2017, 00:45 - You created group "ShortChat"',
        '06/03/2017, 00:45 - Sample User: This is',
        '',
        'a test message: with a colon',
        '08/05/2017, 01:48 - +410123456789: 10:30 - fine',
      ].join('\r\n'),
    );
    expect(messages).toMatchObject([
      { room: 'chat.txt', author: 'Sample User', text: 'This is\n\na test message: with a colon' },
      { room: 'chat.txt', author: '+410123456789', text: '10:30 - fine' },
    ]);
    expect(new Set(messages.map(({ id }) => id)).size).toBe(2);
  });
});

describe('JSON Lines', () => {
  it('carry rooms and authors; an action is said as /me', async () => {
    const line = { id: 'r-1', room: 'r', author: 'Ada', kind: 'action', text: 'waves', ts: 'x' };
    expect(await reading('chat.jsonl', `${JSON.stringify(line)}\n\n`)).toEqual([
      { id: 'r-1', room: 'r', author: 'Ada', text: '/me waves' },
    ]);
  });

  it('that hold nothing are refused', async () => {
    await expect(reading('empty.jsonl', '\n')).rejects.toThrow('holds no message');
  });
});
