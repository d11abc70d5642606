import { describe, expect, it } from 'vitest';
import { given, metaOf, stampedBy } from '#testing';
import { releaseClaims } from '../policy.js';
import { claim, MakeClaim, ReleaseClaim } from './decide.js';
import type { ClaimEvent } from './events.js';

const name = 'claim-username-ada';
const stamp = (by: string, command = 'command-1') => ({ ...stampedBy(by), origin: { command } });
const made = (holder: string): ClaimEvent => ({
  type: 'ClaimMade',
  data: { ...stamp(holder), holder },
});
const released = (holder: string, command = 'command-1'): ClaimEvent => ({
  type: 'ClaimReleased',
  data: { ...stamp(holder, command), holder },
});
const make = (holder: string) => new MakeClaim({ claim: name, holder }, metaOf(holder));
const release = (holder: string, commandId = 'command-1') =>
  new ReleaseClaim({ claim: name, holder }, metaOf(holder, { commandId }));

describe('Making a claim', () => {
  it('takes what nobody holds', () => given(claim)().when(make('ada')).appends(made('ada')));
  it('changes nothing for who holds it', () =>
    given(claim)(made('ada')).when(make('ada')).appends());
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
  it('is not repeated long after its holder took the value again', () => {
    const past = [made('ada'), released('ada', 'first'), made('ada')];
    given(claim)(...past)
      .when(release('ada', 'first'))
      .appends();
    given(claim)(...past)
      .when(release('ada', 'second'))
      .appends(released('ada', 'second'));
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
    expect(wish?.data).toEqual({ claim: name, holder: 'ada' });
    expect(others).toEqual([]);
  });
  it('releases nothing when there was none', () =>
    expect(releaseClaims.react(chosen(), () => metaOf('ada'))).toEqual([]));
});
