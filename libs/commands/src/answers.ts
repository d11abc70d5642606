import { reject, sameBody, type CommandMeta, type ScriptaEvent, type StoredEntry } from '#domain';
import { ViewsUnavailable, type Codec, type EventStore, type Timer, type Views } from '#platform';
import { answered } from './answered.js';
import type { Accepted } from './held.js';

/** How long a late repeat waits for history to reach the state it was judged by. */
const HISTORY_WITHIN_MS = 2_000;

/** What a command answers about its first fact: for a message all that the sender shows. */
export const answerTo = (event: ScriptaEvent, messageId: string, seq: number): Accepted['data'] => {
  const { type, data } = event;
  if (type === 'MessageSent') {
    const { conversationId, number, at } = data;
    return { messageId, conversationId, seq, number, at };
  }
  if (type === 'BroadcastFollowed' || type === 'BroadcastUnfollowed')
    return { conversationId: data.conversationId };
  if ('scheduleId' in data)
    return { conversationId: data.conversationId, scheduleId: data.scheduleId };
  if (type === 'InviteCreated')
    return { conversationId: data.conversationId, inviteId: data.inviteId, seq };
  if ('conversationId' in data) return { conversationId: data.conversationId, seq };
  return 'userId' in data ? { userId: data.userId } : {};
};

/** Answers commands that were carried out before, from the log or from history. */
export class Answers {
  constructor(
    private readonly store: EventStore,
    private readonly codec: Codec,
    private readonly views: Views,
    private readonly timer: Timer,
  ) {}

  /** The answer of the command whose first event is at this place. */
  async at(stream: string, seq: number): Promise<Accepted> {
    const [logged] = await answered(this.timer, this.store.read(stream, seq, 1));
    if (!logged) throw new Error(`${stream} has nothing at ${seq}, which its state points at.`);
    const event = await this.codec.decode(logged, false);
    const data = answerTo(event, event.id, event.revision);
    return { duplicate: true, data, position: String(event.position) };
  }

  /** The answer of a command as history has it; `undefined` where it holds no such command. */
  async fromHistory(meta: CommandMeta, position: number): Promise<Accepted | undefined> {
    const entry = await this.#find(meta.eventId, position);
    if (!entry) return undefined;
    sameBody(entry.origin, meta.digest);
    const { conversationId, seq, at, data } = entry;
    const said =
      entry.type === 'message.sent' ? { messageId: entry._id, at, ...numberIn(data) } : {};
    return {
      duplicate: true,
      data: { conversationId, seq, ...said },
      position: String(entry.place),
    };
  }

  async #find(eventId: string, position: number): Promise<StoredEntry | undefined> {
    try {
      if (!(await this.views.reached(['history'], position, HISTORY_WITHIN_MS)))
        return reject('behind', 'Whether this is a repeat is not known yet; try again.');
      const [entry] = await this.views.get<StoredEntry>('history', [eventId]);
      return entry;
    } catch (error) {
      if (!(error instanceof ViewsUnavailable)) throw error;
      return reject('unavailable', 'Whether this is a repeat cannot be told just now; try again.');
    }
  }
}

const numberIn = ({ number }: Readonly<Record<string, unknown>>) => ({ number });
