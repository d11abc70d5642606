import { execFile } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { builtPath } from '../start/programs.js';

/** Longer than two short runs take on a busy machine. */
const RUN_MS_MAX = 120_000;

const summary = z.record(
  z.string(),
  z.object({
    medians: z.record(z.string(), z.number()),
    counted: z.number(),
    runs: z.array(z.object({ faults: z.array(z.string()) })),
  }),
);

const bench = (...args: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [builtPath('tools/bench/main.js'), ...args], (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });

describe('the bench', () => {
  it(
    'measures a chat, and counts a run in which nothing went wrong',
    async () => {
      const { code, out, err } = await bench('--quick', '--json', 'disk-fsync', 'open-200');
      expect({ code, err }).toMatchObject({ code: 0 });
      const found = summary.parse(JSON.parse(out.trim().split('\n').at(-1) ?? ''));
      expect(found['open-200']).toMatchObject({ counted: 1, runs: [{ faults: [] }] });
      const { acknowledgedPerS = 0, deliveredPerS = 0 } = found['open-200']?.medians ?? {};
      expect(acknowledgedPerS).toBeGreaterThan(0);
      expect(deliveredPerS).toBeGreaterThan(0);
      expect(found['disk-fsync']?.medians).toHaveProperty('fdatasyncP50Ms');
    },
    RUN_MS_MAX,
  );

  it('names its scenarios to who asks for another', async () => {
    const { code, err } = await bench('fastest');
    expect(code).toBe(1);
    expect(err).toMatch(/There is no scenario fastest\.[\s\S]*closed-group50/u);
  });
});
