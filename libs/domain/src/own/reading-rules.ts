import { stampOf } from '../decider.js';
import type { OwnEvent } from './events.js';
import type { Own } from './evolve.js';
import type { ReadingCommand } from './reading-commands.js';

type Rules = Readonly<{
  [Type in ReadingCommand['type']]: (
    command: Extract<ReadingCommand, { type: Type }>,
    state: Own,
  ) => OwnEvent[];
}>;

type Plain = Exclude<ReadingCommand, { type: 'ReadThread' }>;

/** What repeats the latest word on a message needs no fact; what is long past is said again. */
const said =
  (type: 'MessageHidden' | 'MessageUnhidden' | 'ThreadFollowed' | 'ThreadUnfollowed') =>
  ({ data, meta }: Plain, { reading }: Own): OwnEvent[] => {
    const about = type.startsWith('Thread') ? 'thread' : 'message';
    const isKnown = reading.get(`${about}:${data.messageId}`) === type;
    return isKnown ? [] : [{ type, data: { ...stampOf(meta), ...data } }];
  };

/** How one person reads what others said. */
export const readingRules: Rules = {
  HideMessage: said('MessageHidden'),
  UnhideMessage: said('MessageUnhidden'),
  FollowThread: said('ThreadFollowed'),
  UnfollowThread: said('ThreadUnfollowed'),
  ReadThread: ({ data, meta }, { reading }) => {
    const { head, ...about } = data;
    const seq = Math.min(data.seq, head);
    const before = Number(reading.get(`read:${data.messageId}`) ?? -1);
    if (seq <= before) return [];
    return [{ type: 'ThreadRead', data: { ...stampOf(meta), ...about, seq } }];
  },
};
