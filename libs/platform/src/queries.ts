import { EVERYBODY, type VIEWS } from '#domain';
import type { Query } from './views.js';

/** A question to one view. */
export type ViewQuery = Query & Readonly<{ view: keyof typeof VIEWS }>;

/** A stretch of the log: after `from`, up to and with `to`. */
export type Stretch = Readonly<{ from: number; to: number }>;

/** The most answers one question gives where its asker names no limit of its own. */
const ANSWERS_MAX = 10_000;

/**
 * Every question that the product asks the read models by anything but ids: the one place to look
 * at when an index is added. A test asserts by explain that each is answered from an index.
 */
export const QUERIES = {
  /** Where a person is and was: what a resume needs of it, many times at once after a restart. */
  staysOf: (userId: string) => ({
    view: 'members',
    filter: { userId },
    sort: { conversationId: 1 },
    limit: ANSWERS_MAX,
    fields: ['conversationId', 'intervals', 'role'],
  }),
  /** All places of a person, past ones too. */
  placesOf: (userId: string, limit = ANSWERS_MAX) => ({
    view: 'members',
    filter: { userId },
    sort: { conversationId: 1 },
    limit,
  }),
  /** Members of a conversation by user id, after one; past members too, without a role. */
  membersAfter: (conversationId: string, after: string, limit: number) => ({
    view: 'members',
    filter: { conversationId, userId: { $gt: after } },
    sort: { userId: 1 },
    limit,
  }),
  /** The first fact of a conversation above a seq. */
  factAfterSeq: (conversationId: string, seq: number) => ({
    view: 'history',
    filter: { conversationId, seq: { $gt: seq } },
    sort: { seq: 1 },
    limit: 1,
  }),
  /** The last fact of a conversation below a seq; an audience's facts (seq -1) left out. */
  factBeforeSeq: (conversationId: string, seq: number) => ({
    view: 'history',
    filter: { conversationId, seq: { $lt: seq, $gte: 0 } },
    sort: { seq: -1 },
    limit: 1,
  }),
  /** Facts of a conversation's order within a stay, both places inclusive, from either end. */
  factsWithin: (
    conversationId: string,
    stay: Readonly<{ from: number; to: number }>,
    direction: 1 | -1,
    limit: number,
  ) => ({
    view: 'history',
    filter: {
      conversationId,
      place: { $gte: stay.from, $lte: stay.to },
      seq: { $gte: 0 },
    },
    sort: { place: direction },
    limit,
  }),
  /** The last message of a conversation before a place in the log. */
  messageBefore: (conversationId: string, position: number) => ({
    view: 'history',
    filter: { conversationId, place: { $lt: position }, type: 'message.sent' },
    sort: { place: -1 },
    limit: 1,
  }),
  /** Facts of some conversations in a stretch of the log, in its order. */
  factsBetween: (conversationIds: readonly string[], { from, to }: Stretch, limit: number) => ({
    view: 'history',
    filter: {
      conversationId: conversationIds.length === 1 ? conversationIds[0] : { $in: conversationIds },
      place: { $gt: from, $lte: to },
    },
    sort: { place: 1 },
    limit,
  }),
  /** Conversations to which the words of an author were passed on, by id, after one. */
  copiesOf: (author: string, after: string) => ({
    view: 'copies',
    filter: { author, conversationId: { $gt: after } },
    sort: { conversationId: 1 },
    limit: ANSWERS_MAX,
  }),
  /** Replies in a thread after a seq, in their order. */
  repliesAfter: (thread: string, seq: number, limit: number) => ({
    view: 'replies',
    filter: { thread, seq: { $gt: seq } },
    sort: { seq: 1 },
    limit,
  }),
  /** Threads that a person follows, or did. */
  followingsOf: (userId: string) => ({
    view: 'followings',
    filter: { userId },
    sort: { thread: 1 },
    limit: ANSWERS_MAX,
  }),
  /** Links into a group, the newest first. */
  invitesOf: (conversationId: string) => ({
    view: 'invites',
    filter: { conversationId },
    sort: { position: -1 },
    limit: 200,
  }),
  /** People at the door of a group. */
  waitingIn: (conversationId: string) => ({
    view: 'waiting',
    filter: { conversationId },
    sort: { userId: 1 },
    limit: ANSWERS_MAX,
  }),
  /** Groups at whose doors a person is, the newest first. */
  waitingOf: (userId: string) => ({
    view: 'waiting',
    filter: { userId },
    sort: { position: -1 },
    limit: ANSWERS_MAX,
  }),
  /** A person's own marks that moved in a stretch of the log, newest first. */
  ownReceiptsMoved: (userId: string, { from, to }: Stretch, limit: number) => ({
    view: 'receipts',
    filter: { userId, position: { $gt: from, $lte: to } },
    sort: { position: -1 },
    limit,
  }),
  /** Marks in some conversations that moved in a stretch of the log, newest first. */
  receiptsMoved: (conversationIds: readonly string[], { from, to }: Stretch, limit: number) => ({
    view: 'receipts',
    filter: {
      conversationId: conversationIds.length === 1 ? conversationIds[0] : { $in: conversationIds },
      position: { $gt: from, $lte: to },
    },
    sort: { position: -1 },
    limit,
  }),
  /** Messages in some conversations that were reacted to in a stretch of the log, newest first. */
  reactionsSet: (conversationIds: readonly string[], { from, to }: Stretch, limit: number) => ({
    view: 'reactions',
    filter: {
      conversationId: conversationIds.length === 1 ? conversationIds[0] : { $in: conversationIds },
      position: { $gt: from, $lte: to },
    },
    sort: { position: -1 },
    limit,
  }),
  /** What happened to a person's account before a place in the log, newest first. */
  noticesBefore: (userId: string, position: number, limit: number) => ({
    view: 'security',
    filter: { userId, position: { $lt: position } },
    sort: { position: -1 },
    limit,
  }),
  /** Accounts whose time of grace has passed at a time, the longest due first. */
  deletionsDue: (at: string, limit: number) => ({
    view: 'users',
    filter: { deletionDueAt: { $lte: at } },
    sort: { deletionDueAt: 1 },
    limit,
  }),
  /** Conversations that a person arranged after a place in the log, in its order. */
  arrangedSince: (userId: string, position: number, limit: number) => ({
    view: 'arrangements',
    filter: { userId, position: { $gt: position } },
    sort: { position: 1 },
    limit,
  }),
  /** Messages that a person saved before a place in the log, newest first. */
  savedBefore: (userId: string, position: number, limit: number) => ({
    view: 'saved',
    filter: { userId, position: { $lt: position } },
    sort: { position: -1 },
    limit,
  }),
  /** Messages whose time to be said has come, the longest due first. */
  scheduledDue: (at: string, limit: number) => ({
    view: 'scheduled',
    filter: { dueAt: { $lte: at } },
    sort: { dueAt: 1 },
    limit,
  }),
  /** A person's scheduled messages that changed before a place in the log, newest first. */
  scheduledBefore: (userId: string, position: number, limit: number) => ({
    view: 'scheduled',
    filter: { userId, position: { $lt: position } },
    sort: { position: -1 },
    limit,
  }),
  /** Messages of a conversation that mention a person, after a seq and within a stay. */
  mentionsOf: (
    { conversationId, userId }: Readonly<{ conversationId: string; userId: string }>,
    { seq, place }: Readonly<{ seq: number; place: number }>,
    limit: number,
  ) => ({
    view: 'mentions',
    filter: {
      conversationId,
      seq: { $gt: seq },
      place: { $gte: place },
      who: { $in: [userId, EVERYBODY] },
    },
    sort: { seq: 1 },
    limit,
    fields: ['seq'],
  }),
  /** Sessions that ended since a time. */
  revokedSince: (at: string) => ({
    view: 'revocations',
    filter: { at: { $gte: at } },
    sort: { at: 1 },
  }),
} as const satisfies Readonly<Record<string, (...asked: never[]) => ViewQuery>>;
