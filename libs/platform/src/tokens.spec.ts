import { createPrivateKey, randomUUID } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { MemoryKeys, SteppedClock } from '#testing';
import { AccessTokens } from './tokens.js';

const TTL_S = 3_600;
/** Of the first generation, and the stretch in which the stepped clock begins. */
const KID = `1.${Math.floor(new SteppedClock().now() / 1_000 / 2_592_000)}`;
const who = { userId: randomUUID(), deviceId: randomUUID(), sessionId: randomUUID() };

const issuer = () => {
  const [keys, clock] = [new MemoryKeys(), new SteppedClock()];
  return { keys, clock, tokens: new AccessTokens(keys, clock, TTL_S) };
};

/** The deployment's own key, so that only the claims under test are wrong. */
const signerOf = (keys: MemoryKeys) =>
  createPrivateKey({
    key: Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      keys.derive(`access-token:${KID}`),
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
    const { userId: sub, deviceId: did, sessionId: sid } = who;
    const sound = { sub, did, sid, iss: 'scripta', aud: 'scripta' };
    const life = { iat: nowS, exp: nowS + TTL_S };
    const made = (claims: object, typ = 'at+jwt', kid = KID) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'EdDSA', typ, kid })
        .sign(signerOf(keys));
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
      await made({ ...sound, ...life, sid: undefined }),
      await made({ ...sound, ...life }, 'at+jwt', '1.0'),
      await made({ ...sound, ...life }, 'at+jwt', '../../etc/passwd'),
    ];
    for (const token of wrong) await expect(tokens.verify(token)).rejects.toEqual(unauthorized);
  });

  it('[abuse 91] is believed after its key was changed, as long as it lives', async () => {
    const [keys, clock] = [new MemoryKeys(), new SteppedClock()];
    const rotation = { rotationS: TTL_S, generation: 1 };
    const tokens = new AccessTokens(keys, clock, TTL_S, rotation);
    const old = await tokens.issue(who);
    const [first] = tokens.publicKeys();
    clock.pass(TTL_S * 1_000 - 1);
    const young = await tokens.issue(who);
    clock.pass(1);
    expect(tokens.publicKeys()[0]?.kid).not.toBe(first?.kid);
    expect(await tokens.verify(young.token)).toMatchObject(who);
    expect(tokens.publicKeys().map(({ kid }) => kid)).toContain(first?.kid);
    clock.pass(2 * TTL_S * 1_000);
    for (const { token } of [old, young])
      await expect(tokens.verify(token)).rejects.toEqual(unauthorized);
  });

  it('[abuse 91] is dead at once when the generation of keys is raised', async () => {
    const { keys, clock, tokens } = issuer();
    const { token } = await tokens.issue(who);
    const raised = new AccessTokens(keys, clock, TTL_S, { rotationS: 2_592_000, generation: 2 });
    await expect(raised.verify(token)).rejects.toEqual(unauthorized);
  });

  it('is verified by others with the public keys', async () => {
    const { tokens } = issuer();
    const { token } = await tokens.issue(who);
    const { payload } = await jwtVerify(
      token,
      createLocalJWKSet({ keys: [...tokens.publicKeys()] }),
      {
        currentDate: new Date(new SteppedClock().now()),
      },
    );
    expect(payload.sub).toBe(who.userId);
  });

  it('[abuse 90] of 20 kB is refused unread', async () => {
    await expect(issuer().tokens.verify('x'.repeat(20_000))).rejects.toEqual(unauthorized);
  });
});
