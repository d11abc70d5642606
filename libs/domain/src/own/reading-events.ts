import { event, open, stamp } from '../schema.js';

const aboutMessage = {
  ...stamp,
  userId: open.uuid,
  conversationId: open.uuid,
  messageId: open.uuid,
} as const;

/** How one person reads what others said: a thread is named by the message that it hangs on. */
export const readingEvents = {
  /** Deleted for the person alone. */
  MessageHidden: event(aboutMessage),
  MessageUnhidden: event(aboutMessage),
  /** Replies are news to the person. Who replies, or began it, follows without saying so. */
  ThreadFollowed: event(aboutMessage),
  ThreadUnfollowed: event(aboutMessage),
  /** Read up to a seq; a mark that would move backwards changes nothing. */
  ThreadRead: event({ ...aboutMessage, seq: open.integer }),
} as const;
