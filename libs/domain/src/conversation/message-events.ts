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

/** What is said in a conversation, and what becomes of it. */
export const messageEvents = {
  /**
   * `number` counts messages from 1: unread = number at the head - number at the read mark.
   * `content` is the RFC 8785 form of entities, media, location, contact and metadata.
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
    }),
    version: 2,
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
} as const;
