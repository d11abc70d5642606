import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Platform } from '#testing';

const AUDIT = fileURLToPath(new URL('../../dist/tools/audit/main.js', import.meta.url));

/** What a run of the tool came to. */
export type Run = Readonly<{ code: number; output: string; errors: string }>;

/** Runs the auditor's tool as an auditor does. */
export const auditing =
  (settings: () => Platform['settings']) =>
  (...args: readonly string[]): Promise<Run> =>
    new Promise((resolve) => {
      const env = { PATH: process.env['PATH'], ...settings() };
      const options = { env, maxBuffer: 64 * 2 ** 20 };
      execFile(process.execPath, [AUDIT, ...args], options, (error, stdout, stderr) => {
        const code = error ? Number(error.code ?? 1) : 0;
        resolve({ code, output: stdout, errors: stderr });
      });
    });

/** The lines of a run as JSON. */
export const rows = ({ output, errors }: Run): unknown[] => {
  if (output === '') throw new Error(errors);
  return output
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
};

/** Follows the log with the tool until enough was told; gives the lines. */
export const following = async (
  settings: Platform['settings'],
  args: readonly string[],
  { lines, begun }: Readonly<{ lines: number; begun: () => Promise<void> }>,
): Promise<readonly string[]> => {
  const env = { PATH: process.env['PATH'], ...settings };
  const child = spawn(process.execPath, [AUDIT, 'tail', ...args], { env });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let told = '';
  const enough = new Promise<void>((resolve) => {
    child.stdout.on('data', (bytes: Buffer) => {
      told += bytes.toString();
      if (told.split('\n').length > lines) resolve();
    });
  });
  await begun();
  await Promise.race([enough, ended]);
  child.kill('SIGTERM');
  await ended;
  return told.trim().split('\n');
};
