import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';

const COLUMNS_MAX = 100;
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '');
const sources = tracked.filter((file) => file.endsWith('.ts'));

const untidy = (broken: (line: string) => boolean): string[] =>
  sources.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line, at) => (broken(line) ? [`${file}:${at + 1}`] : [])),
  );

/** What the formatter cannot break: texts, and a comment's last word. */
const isUnbreakable = (line: string): boolean => /['"`]|\$\{|^\s*(\*|\/[/*])/u.test(line);

it('keeps lines readable side by side', () => {
  expect(untidy((line) => line.length > COLUMNS_MAX && !isUnbreakable(line))).toEqual([]);
  expect(untidy((line) => line.length > COLUMNS_MAX + 25)).toEqual([]);
});

it('leaves no promise for later in the code', () => {
  const promise = new RegExp(String.raw`\b(TO${'DO'}|FIX${'ME'}|XX${'X'})\b`);
  expect(untidy((line) => promise.test(line))).toEqual([]);
});

it('says of each dependency what it is for', () => {
  const manifest = z
    .object({
      dependencies: z.record(z.string(), z.string()),
      devDependencies: z.record(z.string(), z.string()),
    })
    .parse(JSON.parse(readFileSync('package.json', 'utf8')));
  const page = readFileSync('docs/reference/dependencies.md', 'utf8');
  const unexplained = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    (name) => !new RegExp(`(\\| |, )${name.replaceAll('/', '\\/')}( |,)`).test(page),
  );
  expect(unexplained).toEqual([]);
});

it('names no folder by the kind of file in it', () => {
  const kinds =
    /\/(utils|helpers|common|shared|constants|dto|interfaces|infrastructure|application|mappers)\//;
  expect(sources.filter((file) => kinds.test(file))).toEqual([]);
});
