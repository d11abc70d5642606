/**
 * Turns the data of one version of an event into that of the next. Personal leaves are among the
 * data when they could be opened, and absent when they could not.
 */
export type Upcaster = (
  data: Readonly<Record<string, unknown>>,
) => Readonly<Record<string, unknown>>;

/** By event type and the version that is read. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, Upcaster>>>>;

/**
 * How events that were written by an older version are read today. An event that was released is
 * never changed: its schema gets the next version, and a line here. `golden/` holds what was written.
 */
export const UPCASTERS: Upcasters = {
  // `asOf` came; a claim from before rests on nothing that could have been left.
  ClaimMade: { 1: (data) => data },
  // Ways in and shared history came; who was added before has neither.
  MembersAdded: { 1: (data) => data },
  // Moderators came; roles from before are what they were.
  RoleChanged: { 1: (data) => data },
  // Kinds, mentions, replies and content came; a message from before is a text without them.
  // Then forwarding, threads and priority; a message from before has none of them.
  MessageSent: { 1: (data) => data, 2: (data) => data },
};
