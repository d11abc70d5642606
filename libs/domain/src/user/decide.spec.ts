import { describe, expect, it } from 'vitest';
import { given, metaOf, stampedBy } from '#testing';
import {
  ChooseUsername,
  EndSession,
  EndSessions,
  RegisterUser,
  RemoveDevice,
  RenameUser,
  StartSession,
} from './commands.js';
import { DEVICES_MAX, user } from './decide.js';
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
const start = (sessionId: string, deviceId = 'phone', replacing?: string) =>
  new StartSession(
    { userId, sessionId, deviceId, name: 'Phone', platform: 'android', method: 'code', replacing },
    meta,
  );
const choose = (username: string, asOf = 9) =>
  new ChooseUsername({ userId, username, claim: `claim-username-${username}`, asOf }, meta);

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
  it('is refused where the claim rests on what was before another choice', () => {
    given(user)(registered, chosen('ada')).when(choose('lovelace', 0)).rejects('conflict');
  });
  it('shows it', () => given(user)(registered).when(choose('ada')).appends(chosen('ada')));
  it('says which claim it leaves, so that others may have it', () =>
    given(user)(registered, chosen('ada'))
      .when(choose('lovelace'))
      .appends(chosen('lovelace', 'claim-username-ada')));
  it('changes nothing when it is the one already shown', () =>
    given(user)(registered, chosen('ada')).when(choose('ada')).appends());
  it('is refused before registering', () => given(user)().when(choose('ada')).rejects('not_found'));
});

const started = (sessionId: string, deviceId = 'phone'): UserEvent => ({
  type: 'SessionStarted',
  data: { ...by, userId, sessionId, deviceId, method: 'code' },
});
const revoked = (
  sessionId: string,
  reason: 'replaced' | 'revoked' | 'device_removed',
  deviceId = 'phone',
): UserEvent => ({
  type: 'SessionRevoked',
  data: { ...by, userId, sessionId, deviceId, reason },
});
const device = (deviceId: string): UserEvent => ({
  type: 'DeviceLinked',
  data: { ...by, userId, deviceId, name: 'Phone', platform: 'android' },
});

describe('Starting a session', () => {
  it('links the device', () =>
    given(user)(registered).when(start('s1')).appends(linked, started('s1')));
  it('ends the one before it on the same device', () =>
    given(user)(registered, linked, started('s1'))
      .when(start('s2'))
      .appends(revoked('s1', 'replaced'), started('s2')));
  it('changes nothing the second time', () =>
    given(user)(registered, linked, started('s1')).when(start('s1')).appends());
  it('is refused before registering', () => given(user)().when(start('s1')).rejects('not_found'));
  it('[abuse 83] is refused on a device too many, unless one makes room', () => {
    const devices = Array.from({ length: DEVICES_MAX }, (_, at) => device(`device ${at}`));
    const full = given(user)(registered, ...devices, started('s0', 'device 0'));
    full.when(start('s9')).rejects('too_many_devices');
    full
      .when(start('s9', 'phone', 'device 0'))
      .appends(
        revoked('s0', 'device_removed', 'device 0'),
        { type: 'DeviceRemoved', data: { ...by, userId, deviceId: 'device 0' } },
        linked,
        started('s9'),
      );
  });
  it('brings back a deactivated account', () =>
    given(user)(registered, linked, { type: 'AccountDeactivated', data: { ...by, userId } })
      .when(start('s1'))
      .appends({ type: 'AccountReactivated', data: { ...by, userId } }, started('s1')));
});

describe('Ending sessions', () => {
  const both = [registered, linked, started('s1'), device('web'), started('s2', 'web')];
  it('ends one', () =>
    given(user)(...both)
      .when(new EndSession({ userId, sessionId: 's2', reason: 'revoked' }, meta))
      .appends(revoked('s2', 'revoked', 'web')));
  it('ends all but one device’s', () =>
    given(user)(...both)
      .when(new EndSessions({ userId, exceptDevice: 'web', reason: 'revoked' }, meta))
      .appends(revoked('s1', 'revoked')));
  it('is refused for one that is not there', () =>
    given(user)(...both)
      .when(new EndSession({ userId, sessionId: 's3', reason: 'revoked' }, meta))
      .rejects('not_found'));
  it('goes with the device', () =>
    given(user)(...both)
      .when(new RemoveDevice({ userId, deviceId: 'web' }, meta))
      .appends(revoked('s2', 'device_removed', 'web'), {
        type: 'DeviceRemoved',
        data: { ...by, userId, deviceId: 'web' },
      }));
});
