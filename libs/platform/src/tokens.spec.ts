import { createPrivateKey, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { MemoryKeys, SteppedClock } from '#testing';
import { AccessTokens } from './tokens.js';

const TTL_S = 3_600;
const who = { userId: randomUUID(), deviceId: randomUUID() };

const issuer = () => {
  const [keys, clock] = [new MemoryKeys(), new SteppedClock()];
  return { keys, clock, tokens: new AccessTokens(keys, clock, TTL_S) };
};

/** The deployment's own key, so that only the claims under test are wrong. */
const signerOf = (keys: MemoryKeys) =>
  createPrivateKey({
    key: Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      keys.derive('access-token'),
    ]),
    format: 'der',
    type: 'pkcs8',
  });

const unauthorized: unknown = expect.objectContaining({ code: 'unauthorized' });

describe('an access token', () => {
  it('says who speaks, to every process that shares the master key', async () => {
    const { keys, clock, tokens } = issuer();
    const { token, expiresAtMs } = await tokens.issue(who);
    expect(expiresAtMs).toBe(clock.now() + TTL_S * 1_000);
    const elsewhere = new AccessTokens(keys, clock, TTL_S);
    expect(await elsewhere.verify(token)).toEqual({ ...who, expiresAtMs });
  });

  it('of another deployment is refused', async () => {
    const { token } = await issuer().tokens.issue(who);
    await expect(issuer().tokens.verify(token)).rejects.toEqual(unauthorized);
  });

  it('ends, also where it was verified before, clocks a minute apart', async () => {
    const { clock, tokens } = issuer();
    const { token } = await tokens.issue(who);
    await tokens.verify(token);
    clock.pass(TTL_S * 1_000 + 59_000);
    expect(await tokens.verify(token)).toMatchObject(who);
    clock.pass(2_000);
    await expect(tokens.verify(token)).rejects.toEqual(unauthorized);
    await expect(tokens.verify(token)).rejects.toEqual(unauthorized);
  });

  it('[abuse 86] [abuse 87] with wrong claims is refused, though our key signed it', async () => {
    const { keys, clock, tokens } = issuer();
    const nowS = Math.floor(clock.now() / 1_000);
    const sound = { sub: who.userId, did: who.deviceId, iss: 'scripta', aud: 'scripta' };
    const life = { iat: nowS, exp: nowS + TTL_S };
    const made = (claims: object, typ = 'at+jwt') =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: 'EdDSA', typ }).sign(signerOf(keys));
    expect(await tokens.verify(await made({ ...sound, ...life }))).toMatchObject(who);
    const wrong = [
      await made({ ...sound, ...life, aud: 'elsewhere' }),
      await made({ ...sound, ...life, iss: 'somebody' }),
      await made({ ...sound, ...life }, 'rt+jwt'),
      await made({ ...sound, ...life }, 'JWT'),
      await made({ ...sound, iat: nowS }),
      await made({ ...sound, iat: nowS - 10 * TTL_S, exp: nowS + 10 * TTL_S }),
      await made({ ...sound, ...life, nbf: nowS + 600 }),
      await made({ ...sound, ...life, did: undefined }),
      await made({ ...sound, ...life, did: 7 }),
      await made({ ...sound, ...life, sub: undefined }),
    ];
    for (const token of wrong) await expect(tokens.verify(token)).rejects.toEqual(unauthorized);
  });

  it('[abuse 90] of 20 kB is refused unread', async () => {
    await expect(issuer().tokens.verify('x'.repeat(20_000))).rejects.toEqual(unauthorized);
  });
});
