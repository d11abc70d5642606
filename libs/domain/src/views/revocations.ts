import type { Projection } from '../projection.js';
import type { UserEvent } from '../user/events.js';

/** A session that ended; id is the session's. */
export type RevocationView = Readonly<{ userId: string; deviceId: string; at: string }>;

/** Ended sessions, so that a process that starts knows whose access tokens are dead. */
export const revocations: Projection<RevocationView, UserEvent> = {
  name: 'revocations',
  streams: ['user-'],
  single: true,
  indexes: [{ key: { at: 1 } }],
  keysOf: ({ type, data }) => (type === 'SessionRevoked' ? [data.sessionId] : []),
  evolve: (_, { type, data }) =>
    type === 'SessionRevoked'
      ? { userId: data.userId, deviceId: data.deviceId, at: data.at }
      : undefined,
};
