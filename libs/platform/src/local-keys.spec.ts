import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keysContract, SteppedClock } from '#testing';
import { SystemClock, type Clock } from './clock.js';
import { KeysUnavailable } from './keys.js';
import { LocalKeys } from './local-keys.js';

const SLOT_BYTES = 128;

const folderOfTest = () => mkdtemp(join(tmpdir(), 'scripta-keys-'));

keysContract('LocalKeys', async () => {
  const dataDir = await folderOfTest();
  const again = () => LocalKeys.open({ dataDir, masterKey: '' }, new SystemClock());
  const keys = await again();
  const end = async (): Promise<void> => {
    await keys.close();
    await rm(dataDir, { recursive: true });
  };
  return { keys, again, end };
});

describe('LocalKeys', () => {
  let dataDir: string;
  let file: string;
  let warnings: string[];
  const opened: LocalKeys[] = [];

  const warn = (message: string): void => {
    warnings.push(message);
  };
  const openKeys = async (clock: Clock = new SystemClock(), masterKey = '') => {
    const keys = await LocalKeys.open({ dataDir, masterKey, warn }, clock);
    opened.push(keys);
    return keys;
  };

  beforeEach(async () => {
    dataDir = await folderOfTest();
    file = join(dataDir, 'keys', 'subjects.keys');
    warnings = [];
  });
  afterEach(async () => {
    for (const keys of opened.splice(0)) await keys.close();
    await rm(dataDir, { recursive: true });
  });

  it('keeps the master key, and what it wraps, from others on the machine', async () => {
    await openKeys();
    for (const path of [file, join(dataDir, 'keys', 'master.key')])
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(join(dataDir, 'keys', 'master.key'))).toHaveLength(32);
  });

  it('[D16] says of a file that cannot be read that it is away, not that there is no key', async () => {
    const keys = await LocalKeys.open({ dataDir, masterKey: '', warn }, new SystemClock());
    // Without its file, as when the disk does not answer.
    await keys.close();
    expect(() => keys.find(randomUUID())).toThrow(KeysUnavailable);
  });

  it('never writes a secret in the clear', async () => {
    const key = await (await openKeys()).ensure(randomUUID());
    expect((await readFile(file)).includes(key?.secret ?? '')).toBe(false);
  });

  it('refuses to begin under another master key, and says which file', async () => {
    await (await openKeys()).ensure(randomUUID());
    const other = randomBytes(32).toString('base64');
    await expect(openKeys(new SystemClock(), other)).rejects.toThrow(/subjects\.keys.*MASTER_KEY/u);
    await expect(openKeys(new SystemClock(), 'c2hvcnQ=')).rejects.toThrow(/MASTER_KEY.*32 bytes/u);
  });

  it('takes the master key from the setting, and then makes none', async () => {
    const setting = randomBytes(32).toString('base64');
    const subject = randomUUID();
    const made = await (await openKeys(new SystemClock(), setting)).ensure(subject);
    expect(await (await openKeys(new SystemClock(), setting)).ensure(subject)).toEqual(made);
    await expect(stat(join(dataDir, 'keys', 'master.key'))).rejects.toThrow(/ENOENT/u);
  });

  it('shares one write among all who come at once', async () => {
    const keys = await openKeys();
    const subjects = Array.from({ length: 100 }, () => randomUUID());
    await Promise.all([...subjects, ...subjects].map((subject) => keys.ensure(subject)));
    expect((await stat(file)).size).toBe(100 * SLOT_BYTES);
  });

  it('forgets within 60 s what another process destroyed [V22]', async () => {
    const clock = new SteppedClock();
    const subject = randomUUID();
    const [ours, theirs] = [await openKeys(clock), await openKeys()];
    const key = await ours.ensure(subject);
    await theirs.destroy(subject);
    clock.pass(60_000);
    expect(ours.find(subject)).toBeUndefined();
    expect(await ours.ensure(subject)).toBeUndefined();
    expect((await readFile(file)).includes(key?.secret ?? '')).toBe(false);
  });

  it('goes on after a write that was cut short at any of its bytes', async () => {
    const [whole, torn] = [randomUUID(), randomUUID()];
    const first = await openKeys();
    const made = await first.ensure(whole);
    await first.ensure(torn);
    const written = await readFile(file);
    for (let cutAt = 1; cutAt < SLOT_BYTES; cutAt += 1) {
      await writeFile(file, written.subarray(0, SLOT_BYTES + cutAt));
      const keys = await openKeys();
      expect(keys.find(whole)).toEqual(made);
      expect(keys.find(torn)).toBeUndefined();
      const next = randomUUID();
      const appended = await keys.ensure(next);
      expect(appended).toBeDefined();
      const later = await openKeys();
      expect(later.find(next)).toEqual(appended);
      const again = await later.ensure(torn);
      expect(again).toBeDefined();
      expect(again).toEqual(await keys.ensure(torn));
      expect(warnings.splice(0).join()).toContain(file);
      for (const used of [opened.pop(), opened.pop()]) await used?.close();
    }
  });

  it('names the damaged place and still opens the other keys', async () => {
    const subjects = [randomUUID(), randomUUID(), randomUUID()];
    const first = await openKeys();
    for (const subject of subjects) await first.ensure(subject);
    const handle = await open(file, 'r+');
    await handle.write(Buffer.from([0xff]), 0, 1, SLOT_BYTES + 40);
    await handle.close();
    const keys = await openKeys();
    const found = subjects.map((subject) => keys.find(subject) !== undefined);
    expect(found).toEqual([true, false, true]);
    expect(warnings).toEqual([expect.stringContaining(`bytes ${SLOT_BYTES} to ${2 * SLOT_BYTES}`)]);
  });

  it('is not misled by noise at the end of the file', async () => {
    const keys = await openKeys();
    await keys.ensure(randomUUID());
    await appendFile(file, Buffer.from('SCK1 is not a key'));
    const subject = randomUUID();
    const made = await keys.ensure(subject);
    expect((await openKeys()).find(subject)).toEqual(made);
  });

  it('agrees with other processes that meet the same subjects at the same time', async () => {
    const subjects = Array.from({ length: 40 }, () => randomUUID());
    // Node runs the sources as they are; only the names of imports have to be led to them.
    const hooks = `import { registerHooks } from 'node:module';
      registerHooks({ resolve(name, context, next) {
        try { return next(name, context); } catch { return next(name.replace(/\\.js$/, '.ts'), context); }
      } });`;
    const here = import.meta.dirname;
    const child = `import { LocalKeys } from '${join(here, 'local-keys.ts')}';
      import { SystemClock } from '${join(here, 'clock.ts')}';
      const keys = await LocalKeys.open({ dataDir: process.argv[1], masterKey: '' }, new SystemClock());
      const subjects = process.argv[2].split(',');
      const made = await Promise.all(subjects.map((subject) => keys.ensure(subject)));
      console.log(made.map((key) => key.secret.toString('hex')).join());
      await keys.close();`;
    const hooksUrl = `data:text/javascript,${encodeURIComponent(hooks)}`;
    const flags = ['--no-warnings', '--import', hooksUrl, '--input-type=module', '--eval'];
    const run = () =>
      promisify(execFile)(process.execPath, [...flags, child, dataDir, subjects.join()]);
    const outputs = await Promise.all([run(), run(), run(), run()]);
    const [first, ...others] = outputs.map(({ stdout }) => stdout.trim());
    expect(first?.split(',')).toHaveLength(40);
    for (const other of others) expect(other).toBe(first);
    const keys = await openKeys();
    const held = subjects.map((subject) => keys.find(subject)?.secret.toString('hex'));
    expect(held.join()).toBe(first);
  });
});
