import { event, open, optional, personal, stamp } from '../schema.js';

/** What a message is; files are references, never the bytes. Absent in the log: `text`. */
export const MESSAGE_KINDS = [
  'text',
  'image',
  'video',
  'audio',
  'voice',
  'document',
  'location',
  'live_location',
  'contact',
] as const;
/** One of them. */
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** How urgent a message is, where it is not as urgent as most. */
export const PRIORITIES = ['high', 'low'] as const;
/** One of them. */
export type Priority = (typeof PRIORITIES)[number];

/** What is said in a conversation, and what becomes of it. */
export const messageEvents = {
  /**
   * `number` counts messages from 1: unread = number at the head - number at the read mark. A reply
   * in a thread is not counted: it has the number of the message before it. `content` is the RFC
   * 8785 form of entities, media, location, contact and metadata. A forwarded message is sealed
   * under the key of its `author`, so that erasing them takes their words from everywhere.
   */
  MessageSent: {
    ...event({
      ...stamp,
      conversationId: open.uuid,
      messageId: open.uuid,
      number: open.integer,
      text: personal.text,
      kind: optional(open.choice(...MESSAGE_KINDS)),
      mentions: optional(open.uuids),
      notify: optional(open.choice('all')),
      replyTo: optional(open.uuid),
      content: optional(personal.text),
      /** Whose words they are, where somebody passed them on, and how often that was done. */
      author: optional(open.uuid),
      forwards: optional(open.integer),
      /** The message that the thread hangs on, and who said that. */
      thread: optional(open.uuid),
      threadBy: optional(open.uuid),
      priority: optional(open.choice(...PRIORITIES)),
    }),
    version: 3,
    subject: ['author', 'by'],
  },
  /** A message's next version; earlier ones stay readable. `messageSeq` is its place. */
  MessageEdited: event({
    ...stamp,
    conversationId: open.uuid,
    messageId: open.uuid,
    messageSeq: open.integer,
    text: personal.text,
    mentions: optional(open.uuids),
    notify: optional(open.choice('all')),
    content: optional(personal.text),
  }),
  /** Nobody is shown any more what the message said. */
  MessageDeleted: event({
    ...stamp,
    conversationId: open.uuid,
    messageId: open.uuid,
    messageSeq: open.integer,
  }),
  /** Shown at the top for everybody, until it is taken down. */
  MessagePinned: event({
    ...stamp,
    conversationId: open.uuid,
    messageId: open.uuid,
    messageSeq: open.integer,
  }),
  MessageUnpinned: event({
    ...stamp,
    conversationId: open.uuid,
    messageId: open.uuid,
    messageSeq: open.integer,
  }),
} as const;
