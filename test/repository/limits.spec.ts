import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { limitOf, limitsDocument, readConfig } from '#platform';

describe('the limits', () => {
  it('are all in docs/reference/limits.md (npm run limits writes it)', () => {
    expect(readFileSync('docs/reference/limits.md', 'utf8')).toBe(limitsDocument());
  });

  it('[M23] are changed one by one by LIMITS', () => {
    const config = readConfig({ LIMITS: ' code-hourly:10/1800, commands:1/0.5' });
    expect(limitOf(config, 'code-hourly')).toMatchObject({
      burst: 10,
      fillS: 1_800,
      isStrict: true,
      onStoreDown: 'closed',
    });
    expect(limitOf(config, 'commands')).toMatchObject({ burst: 1, fillS: 0.5 });
    expect(limitOf(config, 'code-resend')).toMatchObject({ burst: 1, fillS: 30 });
  });

  it.each([
    ['code-hourly:0/60', /not NAME:BURST\/SECONDS/u],
    ['code-hourly=10', /not NAME:BURST\/SECONDS/u],
    ['code-hourly:10/0', /not NAME:BURST\/SECONDS/u],
    ['codes:1/1', /no limit “codes”; there are commands, /u],
    ['commands:1/1,commands:2/2', /“commands” is set twice/u],
    ['toString:1/1', /no limit “toString”/u],
  ])('that are set wrongly are named: %s', (written, told) => {
    expect(() => readConfig({ LIMITS: written })).toThrow(told);
    expect(() => readConfig({ LIMITS: written })).toThrow(/LIMITS/u);
  });

  it('are off where the settings say so, but for those that always hold', () => {
    const config = readConfig({ RATE_LIMIT_COMMANDS: 'false' });
    expect(limitOf(config, 'commands')).toBeUndefined();
    expect(limitOf(config, 'unknown-events')).toBeDefined();
  });
});
