import { event, open, optional, personal, stamp, type EventOf } from '../schema.js';

/** Everything that can have happened to a person: `user-<uuid>`. */
export const userEvents = {
  UserRegistered: event({
    ...stamp,
    userId: open.uuid,
    /** E.164. */
    phone: personal.text,
    name: personal.text,
  }),
  UserRenamed: event({ ...stamp, userId: open.uuid, name: personal.text }),
  /** The claim streams say who holds a username; this says which one a person shows. */
  UsernameChosen: event({
    ...stamp,
    userId: open.uuid,
    username: personal.text,
    claim: open.text,
    previousClaim: optional(open.text),
  }),
  DeviceLinked: event({
    ...stamp,
    userId: open.uuid,
    deviceId: open.uuid,
    name: personal.text,
    platform: open.text,
  }),
} as const;

/** A fact about a person. */
export type UserEvent = EventOf<typeof userEvents>;
