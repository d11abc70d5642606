import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exampleEnvironment, readConfig } from '#platform';

describe('the settings', () => {
  it('are all explained in .env.example (npm run environment writes it)', () => {
    expect(readFileSync('.env.example', 'utf8')).toBe(exampleEnvironment());
  });

  it('have defaults that are themselves valid', () => {
    expect(readConfig({})).toMatchObject({ PORT: 3000, RECEIPT_TICK_MS: 200 });
  });

  it('that are wrong are named, with what they take', () => {
    expect(() => readConfig({ PORT: 'seventy' })).toThrow(/Bad configuration:[\s\S]*PORT/u);
  });
});
