import { randomUUID } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { scrub } from './scrub.js';
import { SEGMENT_HEAD_BYTES, UnusableLog } from './segments.js';
import { Store, type Proposed } from './store.js';

const SEGMENT_BYTES = 64 * 1024 * 1024;
const folders: string[] = [];

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'scripta-log-'));
  folders.push(made);
  return made;
};

afterEach(async () => {
  for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true });
});

const proposed = (text: string): Proposed => ({
  id: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
  type: 'Said',
  json: true,
  data: Buffer.from(JSON.stringify({ text })),
  metadata: Buffer.from('{}'),
});

const withStore = async <T>(at: string, use: (store: Store) => Promise<T>): Promise<T> => {
  const store = await Store.open(at, SEGMENT_BYTES);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
};

const segmentOf = (at: string): string => {
  const name = readdirSync(at).find((file) => file.endsWith('.segment'));
  if (name === undefined) throw new Error(`${at} has no segment`);
  return join(at, name);
};

const textsOf = async (store: Store, stream: string): Promise<string[]> => {
  const last = store.state(stream)?.last ?? -1;
  const texts: string[] = [];
  for (let revision = 0; revision <= last; revision++) {
    const frame = await store.frame(stream, revision);
    texts.push(frame ? frame.data.toString('utf8') : 'missing');
  }
  return texts;
};

describe('a log that was cut off', () => {
  it('[V1] [T10] loses exactly the append that was cut, at every byte of it', async () => {
    const whole = folder();
    const keptBytes = await withStore(whole, async (store) => {
      await store.append('a', -1, [proposed('one'), proposed('two')]);
      await store.append('b', 'any', [proposed('three')]);
      return store.log.committed;
    });
    await withStore(whole, (store) => store.append('a', 1, [proposed('four'), proposed('five')]));
    const bytes = readFileSync(segmentOf(whole));
    const cut = folder();
    const path = join(cut, '0000000000000000.segment');
    for (let length = SEGMENT_HEAD_BYTES + keptBytes; length < bytes.length; length++) {
      await rm(join(cut, 'index'), { recursive: true, force: true });
      await writeFile(path, bytes.subarray(0, length));
      await withStore(cut, async (store) => {
        expect([store.log.committed, store.state('a')?.last, store.state('b')?.last]).toEqual([
          keptBytes,
          1,
          0,
        ]);
        const again = await store.append('a', 1, [proposed('six')]);
        expect(again).toMatchObject({ ok: true, revision: 2 });
      });
    }
  });

  it('takes an append back whole when only its first events reached the disk', async () => {
    const at = folder();
    await withStore(at, (store) => store.append('a', -1, [proposed('one')]));
    const before = readFileSync(segmentOf(at)).length;
    await withStore(at, (store) => store.append('a', 0, [proposed('two'), proposed('three')]));
    const bytes = readFileSync(segmentOf(at));
    await truncate(segmentOf(at), before + bytes.readUInt32LE(before));
    // The index of a kill before the sync knows nothing of it.
    await rm(join(at, 'index'), { recursive: true });
    await withStore(at, async (store) => {
      expect(await textsOf(store, 'a')).toEqual(['{"text":"one"}']);
    });
  });
});

/** Three appends in one group, after one that was acknowledged. */
const grouped = async (at: string): Promise<{ bytes: Buffer; kept: number }> =>
  withStore(at, async (store) => {
    await store.append('a', -1, [proposed('one')]);
    const kept = SEGMENT_HEAD_BYTES + store.log.committed;
    const texts = ['two', 'three', 'four'];
    await Promise.all(texts.map((text) => store.append('a', 'any', [proposed(text)])));
    return { bytes: readFileSync(segmentOf(at)), kept };
  });

describe('a group that was cut off by a power cut', () => {
  it('is cut although a later part of it reached the disk before an earlier one', async () => {
    const at = folder();
    const { bytes, kept } = await grouped(at);
    await rm(join(at, 'index'), { recursive: true });
    await writeFile(segmentOf(at), bytes.fill(0, kept, kept + bytes.readUInt32LE(kept)));
    await withStore(at, async (store) => {
      expect(await textsOf(store, 'a')).toEqual(['{"text":"one"}']);
      const again = await store.append('a', 0, [proposed('five')]);
      expect(again).toMatchObject({ ok: true, revision: 1 });
    });
  });

  it('is damage once something was written after it', async () => {
    const at = folder();
    const { kept } = await grouped(at);
    await withStore(at, (store) => store.append('a', 3, [proposed('five')]));
    await rm(join(at, 'index'), { recursive: true });
    const bytes = readFileSync(segmentOf(at));
    await writeFile(segmentOf(at), bytes.fill(0, kept, kept + bytes.readUInt32LE(kept)));
    await expect(Store.open(at, SEGMENT_BYTES)).rejects.toThrow(`damaged at offset ${kept}`);
  });

  it('does not take a copy of frames inside an event for frames', async () => {
    const at = folder();
    const { bytes } = await grouped(at);
    const copy = { ...proposed(''), json: false, data: bytes.subarray(SEGMENT_HEAD_BYTES) };
    await withStore(at, (store) => store.append('b', -1, [copy]));
    await rm(join(at, 'index'), { recursive: true });
    await truncate(segmentOf(at), readFileSync(segmentOf(at)).length - 1);
    await withStore(at, async (store) => {
      expect(await textsOf(store, 'a')).toHaveLength(4);
      expect(store.state('b')).toBeUndefined();
    });
  });
});

describe('a log that was damaged', () => {
  it('[T24] refuses to start for any flipped bit before the tail, and names the place', async () => {
    const at = folder();
    await withStore(at, async (store) => {
      for (const text of ['one', 'two', 'three']) await store.append('a', 'any', [proposed(text)]);
    });
    const sound = readFileSync(segmentOf(at));
    const first = sound.readUInt32LE(SEGMENT_HEAD_BYTES);
    for (let offset = 0; offset < first; offset++) {
      const bytes = Buffer.from(sound);
      bytes[SEGMENT_HEAD_BYTES + offset] = (bytes[SEGMENT_HEAD_BYTES + offset] ?? 0) ^ 0x10;
      await writeFile(segmentOf(at), bytes);
      await expect(Store.open(at, SEGMENT_BYTES)).rejects.toThrow(
        new RegExp(`damaged at offset ${SEGMENT_HEAD_BYTES}.*backup`, 'u'),
      );
    }
  });

  it('says where, when it is scrubbed', async () => {
    const at = folder();
    await withStore(at, async (store) => {
      for (const text of ['one', 'two', 'three']) await store.append('a', 'any', [proposed(text)]);
    });
    const path = segmentOf(at);
    const bytes = readFileSync(path);
    const second = SEGMENT_HEAD_BYTES + bytes.readUInt32LE(SEGMENT_HEAD_BYTES);
    bytes[second + 60] = (bytes[second + 60] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const report = await scrub(at, () => {});
    expect(report.events).toBe(2);
    expect(report.damage).toEqual([expect.stringContaining(`${path} at offset ${second}: `)]);
  });

  it('refuses a folder that a newer version wrote', async () => {
    const at = folder();
    await withStore(at, (store) => store.append('a', -1, [proposed('one')]));
    const bytes = readFileSync(segmentOf(at));
    bytes.writeUInt32LE(99, 12);
    await writeFile(segmentOf(at), bytes);
    await expect(Store.open(at, SEGMENT_BYTES)).rejects.toThrow(UnusableLog);
    await expect(Store.open(at, SEGMENT_BYTES)).rejects.toThrow('newer version');
  });
});

describe('the index', () => {
  it('is rebuilt from the log when it is gone', async () => {
    const at = folder();
    const sent = [proposed('one'), proposed('two')];
    await withStore(at, (store) => store.append('a', -1, sent));
    await rm(join(at, 'index'), { recursive: true });
    await withStore(at, async (store) => {
      expect(await textsOf(store, 'a')).toEqual(['{"text":"one"}', '{"text":"two"}']);
      const repeat = await store.append('a', 'any', sent);
      expect(repeat).toMatchObject({ ok: true, revision: 1 });
    });
  });

  it('is brought up to the log when it is behind', async () => {
    const at = folder();
    await withStore(at, (store) => store.append('a', -1, [proposed('one')]));
    const longer = folder();
    copyFileSync(segmentOf(at), join(longer, '0000000000000000.segment'));
    await withStore(longer, (store) => store.append('a', 0, [proposed('two')]));
    const more = readFileSync(segmentOf(longer)).subarray(readFileSync(segmentOf(at)).length);
    appendFileSync(segmentOf(at), more);
    await withStore(at, async (store) => {
      expect(await textsOf(store, 'a')).toEqual(['{"text":"one"}', '{"text":"two"}']);
    });
  });
});

it('decides an append on the delete before it, though neither is on disk', async () => {
  await withStore(folder(), async (store) => {
    await store.append('a', -1, [proposed('old')]);
    const [deleted, appended] = await Promise.all([
      store.softDelete('a', 'any'),
      store.append('a', -1, [proposed('new')]),
    ]);
    expect([deleted.ok, appended]).toMatchObject([true, { ok: true, revision: 1 }]);
    expect(store.state('a')).toMatchObject({ deleted: false, before: 1, last: 1 });
  });
});

it('goes on over many segments', async () => {
  const at = folder();
  const store = await Store.open(at, 500);
  for (let n = 0; n < 50; n++) await store.append('a', n - 1, [proposed(`message ${n}`)]);
  await store.close();
  expect(readdirSync(at).filter((file) => file.endsWith('.segment')).length).toBeGreaterThan(5);
  const again = await Store.open(at, 500);
  const texts = await textsOf(again, 'a');
  await again.close();
  expect(texts).toHaveLength(50);
  expect(texts.at(-1)).toBe('{"text":"message 49"}');
});
