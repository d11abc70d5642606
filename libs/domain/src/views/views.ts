import { conversations } from './conversations.js';
import { copies } from './copies.js';
import { hidden } from './hidden.js';
import { history } from './history.js';
import { invites, waiting } from './joining.js';
import { members } from './members.js';
import { arrangements, saved } from './own.js';
import { mentions } from './mentions.js';
import { messages } from './messages.js';
import { reactions } from './reactions.js';
import { receipts } from './receipts.js';
import { revocations } from './revocations.js';
import { scheduled } from './scheduled.js';
import { security } from './security.js';
import { followings, replies, threads } from './threads.js';
import { users } from './users.js';

/** Every read model the projector keeps in the database `views`; rebuildable from the log. */
export const VIEWS = {
  history,
  conversations,
  members,
  invites,
  waiting,
  messages,
  copies,
  mentions,
  receipts,
  reactions,
  users,
  security,
  revocations,
  arrangements,
  saved,
  scheduled,
  hidden,
  threads,
  replies,
  followings,
} as const;
