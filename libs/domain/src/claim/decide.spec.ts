import { describe, expect, it } from 'vitest';
import { given, metaOf, stampedBy } from '#testing';
import { releaseClaims } from '../policy.js';
import { claim, MakeClaim, ReleaseClaim } from './decide.js';
import type { ClaimEvent } from './events.js';

const name = 'claim-username-ada';
const stamp = (by: string, command = 'command-1') => ({ ...stampedBy(by), origin: { command } });
const made = (holder: string, asOf?: number): ClaimEvent => ({
  type: 'ClaimMade',
  data: { ...stamp(holder), holder, ...(asOf === undefined ? {} : { asOf }) },
});
const released = (holder: string, command = 'command-1'): ClaimEvent => ({
  type: 'ClaimReleased',
  data: { ...stamp(holder, command), holder },
});
const make = (holder: string, asOf?: number) =>
  new MakeClaim({ claim: name, holder, asOf }, metaOf(holder));
const release = (holder: string, leftAt = 5) =>
  new ReleaseClaim({ claim: name, holder, leftAt }, metaOf(holder));

describe('Making a claim', () => {
  it('takes what nobody holds', () => given(claim)().when(make('ada')).appends(made('ada')));
  it('changes nothing for who holds it', () =>
    given(claim)(made('ada')).when(make('ada')).appends());
  it('is made anew for who holds it and has seen more of their own stream', () => {
    given(claim)(made('ada')).when(make('ada', 5)).appends(made('ada', 5));
    given(claim)(made('ada', 5)).when(make('ada', 5)).appends();
  });
  it('is refused while somebody else holds it', () =>
    given(claim)(made('ada')).when(make('bob')).rejects('already_exists'));
  it('takes what was given back', () =>
    given(claim)(made('ada'), released('ada')).when(make('bob')).appends(made('bob')));
  it('is about the stream of the value', () => expect(claim.streamOf(make('ada'))).toBe(name));
});

describe('Releasing a claim', () => {
  it('gives it back', () =>
    given(claim)(made('ada')).when(release('ada')).appends(released('ada')));
  it('changes nothing for who does not hold it', () => {
    given(claim)().when(release('ada')).appends();
    given(claim)(made('bob')).when(release('ada')).appends();
  });
  it('comes too late for who has taken the value again since they left it', () => {
    given(claim)(made('ada'), made('ada', 5)).when(release('ada', 5)).appends();
    given(claim)(made('ada'), released('ada'), made('ada', 5)).when(release('ada', 5)).appends();
    given(claim)(made('ada', 5)).when(release('ada', 6)).appends(released('ada'));
  });
});

const chosen = (previousClaim?: string) => ({
  type: 'UsernameChosen' as const,
  data: {
    ...stampedBy('ada'),
    userId: 'ada',
    username: 'lovelace',
    claim: 'claim-username-lovelace',
    ...(previousClaim === undefined ? {} : { previousClaim }),
  },
  id: 'event-1',
  stream: 'user-ada',
  revision: 2,
  position: 200,
  correlationId: 'command-1',
  causationId: 'command-1',
});

describe('Choosing another username', () => {
  it('releases the former one', () => {
    const [wish, ...others] = releaseClaims.react(chosen(name), () => metaOf('ada'));
    expect(wish).toBeInstanceOf(ReleaseClaim);
    expect(wish?.data).toEqual({ claim: name, holder: 'ada', leftAt: 2 });
    expect(others).toEqual([]);
  });
  it('releases nothing when there was none', () =>
    expect(releaseClaims.react(chosen(), () => metaOf('ada'))).toEqual([]));
});
