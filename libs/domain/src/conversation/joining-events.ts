import { event, open, optional, stamp } from '../schema.js';

/** Who finds a group: everybody, or whom somebody lets in. */
export const ACCESSES = ['public', 'private'] as const;
/** What a newcomer reads of what was said before: nothing, or all of it. */
export const HISTORIES = ['joined', 'all'] as const;
/** How somebody came who was not simply added. */
export const WAYS_IN = ['link', 'public', 'request', 'invitation'] as const;

const answer = open.choice('yes', 'no');
const aboutPerson = { ...stamp, conversationId: open.uuid, userId: open.uuid } as const;

/** How people come into a group. */
export const joiningEvents = {
  /** What is absent stays as it is. */
  JoiningChanged: event({
    ...stamp,
    conversationId: open.uuid,
    access: optional(open.choice(...ACCESSES)),
    /** Whether those who come by themselves wait for an approval. */
    approval: optional(answer),
    history: optional(open.choice(...HISTORIES)),
  }),
  /** A link; its secret is a MAC of the ids, so that the log does not hold what opens the door. */
  InviteCreated: event({
    ...stamp,
    conversationId: open.uuid,
    inviteId: open.uuid,
    expiresAt: optional(open.time),
    uses: optional(open.integer),
    approval: answer,
  }),
  InviteRevoked: event({ ...stamp, conversationId: open.uuid, inviteId: open.uuid }),
  JoinRequested: event({ ...aboutPerson, inviteId: optional(open.uuid) }),
  JoinRequestEnded: event({ ...aboutPerson, outcome: open.choice('refused', 'withdrawn') }),
  /** Somebody who is not added without being asked. */
  MemberInvited: event(aboutPerson),
  InvitationEnded: event({ ...aboutPerson, outcome: open.choice('declined', 'withdrawn') }),
} as const;
