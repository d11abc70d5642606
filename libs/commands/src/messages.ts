import { Inject, Injectable } from '@nestjs/common';
import {
  conversation,
  mayRead,
  memberKey,
  MESSAGE_KINDS,
  reject,
  type MemberView,
  type MessageKind,
  type StoredEntry,
  type Target,
} from '#domain';
import { ViewsUnavailable } from '#platform';
import { answered } from './answered.js';
import { PORTS, type Ports } from './ports.js';
import { Streams } from './streams.js';

/** How long a look-up waits for the memberships to have reached a message (`behind` after it). */
const MEMBERS_WITHIN_MS = 2_000;
/** Events that one look back reads, and how many of them: what the read models may lack at most. */
const LOOK_BACK = 128;
const LOOKS_BACK_MAX = 8;

/** A message by name. */
export type Named = Readonly<{ conversationId: string; messageId: string }>;

/** What a message's fact holds. */
type Said = Readonly<Record<string, unknown>>;

/** An older message. */
export type Found = Target & Readonly<{ position: number; data: Said }>;

/** A text among what a fact holds. */
export const textIn = (data: Said, name: string): string | undefined => {
  const value = data[name];
  return typeof value === 'string' ? value : undefined;
};

const kindOf = (data: Said): MessageKind =>
  MESSAGE_KINDS.find((kind) => kind === data['kind']) ?? 'text';

const foundOf = (
  data: Said,
  place: Readonly<{ seq: number; by: string; at: string; position: number }>,
): Found => {
  const [author, thread] = [textIn(data, 'author'), textIn(data, 'thread')];
  return {
    ...place,
    kind: kindOf(data),
    ...(author === undefined ? {} : { author }),
    ...(thread === undefined ? {} : { thread }),
    data,
  };
};

const absent = (): never => reject('not_found', 'There is no such message.');

const unknown = (): readonly StoredEntry[] => [];

/**
 * Older messages, as a command needs them. What is told of one (its place, author and time) never
 * changes, so it is as true when the command is decided as it was when it was read.
 */
@Injectable()
export class Messages {
  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly streams: Streams,
  ) {}

  /** A message that the reader was there for; throws `not_found` for all others. */
  async find(reader: string, named: Named): Promise<Target> {
    const { position: _position, data: _data, ...target } = await this.read(reader, named);
    return target;
  }

  /** The same with what it said first, and its place in the log. */
  async read(reader: string, named: Named): Promise<Found> {
    const found = (await this.#inHistory(named)) ?? (await this.#inLog(named)) ?? absent();
    if (found.by === reader) return found;
    return (await this.#wasThere(reader, named, found.position)) ? found : absent();
  }

  /** Certain once the memberships have come as far as the message. */
  async #wasThere(reader: string, { conversationId }: Named, position: number): Promise<boolean> {
    const { views } = this.ports;
    try {
      if (!(await views.reached(['members'], position, MEMBERS_WITHIN_MS)))
        return reject('behind', 'The memberships are catching up; try again.');
      const [stay] = await views.get<MemberView>('members', [memberKey(conversationId, reader)]);
      return stay !== undefined && mayRead(stay.intervals, position);
    } catch (error) {
      if (!(error instanceof ViewsUnavailable)) throw error;
      return reject('unavailable', 'Older messages cannot be looked up just now; try again.');
    }
  }

  async #inHistory({ conversationId, messageId }: Named): Promise<Found | undefined> {
    // Without the read models the log knows the latest ones.
    const asked = this.ports.views.get<StoredEntry>('history', [messageId]);
    const [entry] = await asked.catch(unknown);
    if (!entry) return undefined;
    if (entry.conversationId !== conversationId || entry.type !== 'message.sent') return absent();
    const { seq, actor: by, at, place: position, data } = entry;
    return foundOf(data, { seq, by, at, position });
  }

  async #inLog({ conversationId, messageId }: Named): Promise<Found | undefined> {
    const stream = `conversation-${conversationId}`;
    const { revision } = await this.streams.look(conversation, stream, 0);
    let end = revision;
    for (let looks = 0; looks < LOOKS_BACK_MAX && end >= 0; looks += 1) {
      const from = Math.max(0, end - LOOK_BACK + 1);
      const page = await answered(
        this.ports.timer,
        this.ports.store.read(stream, from, end - from + 1),
      );
      const logged = page.find(({ id, type }) => id === messageId && type === 'MessageSent');
      const event = logged && (await this.ports.codec.decode(logged, true));
      if (event?.type === 'MessageSent') {
        const { by, at } = event.data;
        return foundOf(event.data, { seq: event.revision, by, at, position: event.position });
      }
      end = from - 1;
    }
    return undefined;
  }
}
