import {
  factOf,
  markKindOf,
  type MarkKind,
  type ConversationEvent,
  type Fact,
  type Mark,
  type Recorded,
  type ScriptaEvent,
} from '#domain';
import type { Codec, LogEvent } from '#platform';

/** A stay in a conversation: the places of its first and its last fact. */
export type Stay = Readonly<{ from: number; to: number }>;

/** A mark as the log has it. */
export type TrueMark = Readonly<{
  conversationId: string;
  userId: string;
  kind: MarkKind;
  device: string;
  seq: number;
  number: number;
  position: number;
}>;

/** One conversation as the log has it, folded by nothing but this. */
export type TrueConversation = {
  readonly id: string;
  readonly events: Recorded<ConversationEvent>[];
  readonly facts: Fact[];
  readonly stays: Map<string, Stay[]>;
};

const comings = (event: Recorded<ConversationEvent>): readonly string[] => {
  if (event.type === 'ConversationStarted') return [event.data.by];
  return event.type === 'MembersAdded' ? event.data.members : [];
};

const goings = (event: Recorded<ConversationEvent>): readonly string[] =>
  event.type === 'MemberRemoved' || event.type === 'MemberLeft' ? [event.data.userId] : [];

const isOfConversation = (event: Recorded<ScriptaEvent>): event is Recorded<ConversationEvent> =>
  event.stream.startsWith('conversation-');

/** What the log says: the one thing that every ledger is compared with. */
export class Truth {
  readonly conversations = new Map<string, TrueConversation>();
  readonly marks: TrueMark[] = [];
  readonly events: Recorded<ScriptaEvent>[] = [];
  readonly unreadable: string[] = [];

  /** Reads all that is durable. */
  static async of(log: readonly LogEvent[], codec: Codec): Promise<Truth> {
    const truth = new Truth();
    for (const logged of log) {
      if (logged.stream.startsWith('snapshot-')) continue;
      try {
        truth.#take(await codec.decode(logged, true));
      } catch (error) {
        truth.unreadable.push(String(error));
      }
    }
    return truth;
  }

  staysOf(conversationId: string, userId: string): readonly Stay[] {
    return this.conversations.get(conversationId)?.stays.get(userId) ?? [];
  }

  /** Whether a fact at a place was for this person. */
  mayHear(
    userId: string,
    { conversationId, position }: Readonly<{ conversationId: string; position: string | number }>,
  ): boolean {
    const at = Number(position);
    return this.staysOf(conversationId, userId).some(({ from, to }) => at >= from && at <= to);
  }

  #take(event: Recorded<ScriptaEvent>): void {
    this.events.push(event);
    if (isOfConversation(event)) this.#heard(event);
    if (event.type === 'MarksMoved')
      for (const mark of event.data.marks) this.#marked(mark, event.position);
  }

  #heard(event: Recorded<ConversationEvent>): void {
    const { conversationId: id } = event.data;
    let known = this.conversations.get(id);
    if (!known) {
      known = { id, events: [], facts: [], stays: new Map() };
      this.conversations.set(id, known);
    }
    known.events.push(event);
    known.facts.push(factOf(event));
    for (const userId of comings(event)) {
      const stays = known.stays.get(userId) ?? [];
      known.stays.set(userId, stays);
      if (stays.at(-1)?.to !== Infinity) stays.push({ from: event.position, to: Infinity });
    }
    for (const userId of goings(event)) {
      const stays = known.stays.get(userId);
      const last = stays?.pop();
      if (last) stays?.push({ ...last, to: Math.min(last.to, event.position) });
    }
  }

  #marked([conversationId, userId, device, kind, seq, number]: Mark, position: number): void {
    const name = markKindOf(kind);
    this.marks.push({ conversationId, userId, device, kind: name, seq, number, position });
  }
}
