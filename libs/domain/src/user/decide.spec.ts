import { describe, expect, it } from 'vitest';
import { given, metaOf, stampedBy } from '#testing';
import { ChooseUsername, LinkDevice, RegisterUser, RenameUser, user } from './decide.js';
import type { UserEvent } from './events.js';

const by = stampedBy('ada');
const userId = 'ada';

const registered: UserEvent = {
  type: 'UserRegistered',
  data: { ...by, userId, phone: '+4930123456', name: 'Ada' },
};
const linked: UserEvent = {
  type: 'DeviceLinked',
  data: { ...by, userId, deviceId: 'phone', name: 'Phone', platform: 'android' },
};
const chosen = (username: string, previousClaim?: string): UserEvent => ({
  type: 'UsernameChosen',
  data: {
    ...by,
    userId,
    username,
    claim: `claim-username-${username}`,
    ...(previousClaim === undefined ? {} : { previousClaim }),
  },
});

const meta = metaOf('ada');
const register = new RegisterUser({ userId, phone: '+4930123456', name: 'Ada' }, meta);
const rename = new RenameUser({ userId, name: 'Ada L.' }, meta);
const link = new LinkDevice(
  { userId, deviceId: 'phone', name: 'Phone', platform: 'android' },
  meta,
);
const choose = (username: string) =>
  new ChooseUsername({ userId, username, claim: `claim-username-${username}` }, meta);

describe('Registering', () => {
  it('makes a person', () => given(user)().when(register).appends(registered));
  it('changes nothing the second time', () => given(user)(registered).when(register).appends());
  it('is about one stream', () => expect(user.streamOf(register)).toBe('user-ada'));
});

describe('Renaming', () => {
  it('changes the name', () =>
    given(user)(registered)
      .when(rename)
      .appends({ type: 'UserRenamed', data: { ...by, userId, name: 'Ada L.' } }));
  it('is refused before registering', () => given(user)().when(rename).rejects('not_found'));
});

describe('Choosing a username', () => {
  it('shows it', () => given(user)(registered).when(choose('ada')).appends(chosen('ada')));
  it('says which claim it leaves, so that others may have it', () =>
    given(user)(registered, chosen('ada'))
      .when(choose('lovelace'))
      .appends(chosen('lovelace', 'claim-username-ada')));
  it('changes nothing when it is the one already shown', () =>
    given(user)(registered, chosen('ada')).when(choose('ada')).appends());
  it('is refused before registering', () => given(user)().when(choose('ada')).rejects('not_found'));
});

describe('Linking a device', () => {
  it('lets it act', () => given(user)(registered).when(link).appends(linked));
  it('changes nothing the second time', () => given(user)(registered, linked).when(link).appends());
  it('is refused before registering', () => given(user)().when(link).rejects('not_found'));
});
