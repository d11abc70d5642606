import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Keys } from '#platform';

/** Keys to hold to the contract; `again` opens the same keys as another process would. */
export type OpenedKeys = Readonly<{
  keys: Keys;
  again: () => Promise<Keys>;
  end: () => Promise<void>;
}>;

const aliveAndGone = (opened: () => OpenedKeys): void => {
  it('makes a key of 32 random bytes once, and finds it at once', async () => {
    const { keys } = opened();
    const [subject, other] = [randomUUID(), randomUUID()];
    const made = await keys.ensure(subject);
    expect(made?.secret).toHaveLength(32);
    expect(await keys.find(subject)).toEqual(made);
    expect(await keys.ensure(subject)).toEqual(made);
    expect((await keys.ensure(other))?.secret).not.toEqual(made?.secret);
  });

  it('makes no key for who only looks', async () => {
    expect(await opened().keys.find(randomUUID())).toBeUndefined();
  });

  it('knows a subject by any spelling of its id', async () => {
    const { keys } = opened();
    const subject = randomUUID();
    expect(await keys.ensure(subject.toUpperCase())).toEqual(await keys.ensure(subject));
  });

  it('gives all who ask at once the same key', async () => {
    const { keys } = opened();
    const subjects = Array.from({ length: 50 }, () => randomUUID());
    const asked = [...subjects, ...subjects, ...subjects].map((subject) => keys.ensure(subject));
    const made = (await Promise.all(asked)).map((key) => key?.secret.toString('hex'));
    expect(new Set(made).size).toBe(50);
    expect(made.slice(50, 100)).toEqual(made.slice(0, 50));
  });

  it('refuses a subject that is no UUID, and only that one', async () => {
    const { keys } = opened();
    const [bad, good] = await Promise.allSettled([keys.ensure('ada'), keys.ensure(randomUUID())]);
    expect([bad.status, good.status]).toEqual(['rejected', 'fulfilled']);
  });

  it('has nothing for a destroyed key, now and ever after', async () => {
    const { keys, again } = opened();
    const [subject, never] = [randomUUID(), randomUUID()];
    await keys.ensure(subject);
    for (const erased of [subject, never]) {
      await keys.destroy(erased);
      await keys.destroy(erased);
      expect(await keys.find(erased)).toBeUndefined();
      expect(await keys.ensure(erased)).toBeUndefined();
    }
    const other = await again();
    expect(await other.find(subject)).toBeUndefined();
    expect(await other.ensure(never)).toBeUndefined();
    await other.close();
  });
};

const shared = (opened: () => OpenedKeys): void => {
  it('is the same for every process, also for keys made after it began', async () => {
    const { keys, again } = opened();
    const [before, after] = [randomUUID(), randomUUID()];
    const made = await keys.ensure(before);
    const other = await again();
    expect(await other.find(before)).toEqual(made);
    expect(await keys.ensure(after)).toEqual(await other.find(after));
    expect(await other.ensure(after)).toEqual(await keys.find(after));
    await other.close();
  });

  it('derives one key for one purpose, on every process', async () => {
    const { keys, again } = opened();
    const other = await again();
    expect(keys.derive('one')).toHaveLength(32);
    expect(keys.derive('one')).toEqual(other.derive('one'));
    expect(keys.derive('one')).not.toEqual(keys.derive('two'));
    await other.close();
  });
};

/** What every keeper of keys must do. */
export const keysContract = (name: string, open: () => Promise<OpenedKeys>): void => {
  describe(`${name} as keys`, () => {
    let held: OpenedKeys | undefined;
    const opened = (): OpenedKeys => {
      if (!held) throw new Error('The keys are not open.');
      return held;
    };

    beforeAll(async () => {
      held = await open();
    });
    afterAll(async () => {
      await held?.end();
    });

    aliveAndGone(opened);
    shared(opened);
  });
};
