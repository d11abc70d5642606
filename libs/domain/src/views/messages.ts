import type { ConversationEvent } from '../conversation/events.js';
import type { Fact } from '../facts.js';
import type { Projection } from '../projection.js';

/** A later version of a message. */
export type MessageVersion = Readonly<{
  /** Place of the edit. */
  seq: number;
  /** Its place in the log: who had left by then is not shown it. */
  position: number;
  at: string;
  text: string;
  content?: string;
}>;

/** What became of a message after it was said; the document's id is the message's. */
export type MessageView = Readonly<{
  conversationId: string;
  /** Oldest first; none once it was deleted. */
  versions: readonly MessageVersion[];
  deleted?: Readonly<{ by: string; at: string }>;
}>;

/** What a fact's reader is told beside it. */
export type ShownFact = Fact & Readonly<{ now?: Omit<MessageVersion, 'position'>; deleted?: true }>;

/** Only messages that were edited or deleted have a document. */
export const messages: Projection<MessageView, ConversationEvent> = {
  name: 'messages',
  streams: ['conversation-'],
  indexes: [],
  keysOf: ({ type, data }) =>
    type === 'MessageEdited' || type === 'MessageDeleted' ? [data.messageId] : [],
  evolve: (before, event) => {
    const { conversationId, by, at } = event.data;
    const view = before ?? { conversationId, versions: [] };
    if (event.type === 'MessageDeleted') return { ...view, versions: [], deleted: { by, at } };
    if (event.type !== 'MessageEdited' || view.deleted) return view;
    const { text, content } = event.data;
    const { revision: seq, position } = event;
    const version = { seq, position, at, text, ...(content ? { content } : {}) };
    return { ...view, versions: [...view.versions, version] };
  },
};

/** The message that a fact says or edits; `undefined` for all others. */
export const messageOf = ({ type, data }: Fact): string | undefined =>
  type === 'message.sent' || type === 'message.edited' ? String(data['messageId']) : undefined;

const emptied = ({ proof, ...fact }: Fact): Fact => {
  const { salt: _salt, ...rest } = proof ?? { prev: '' };
  const { content, ...data } = fact.data;
  const left = { ...data, text: '', ...(content === undefined ? {} : { content: '' }) };
  return { ...fact, data: left, ...(proof ? { proof: rest } : {}) };
};

/** A version as readers know it. */
export const versionOf = ({ position: _position, ...version }: MessageVersion) => version;

/**
 * A fact as it is shown today: beside a message the latest version that the reader may see; of a
 * deleted one nothing that it said, only the commitment, so that the links still hold.
 */
export const shownFact = (
  fact: Fact,
  view: MessageView | undefined,
  maySee: (position: number) => boolean,
): ShownFact => {
  if (view?.deleted) return { ...emptied(fact), deleted: true };
  const now = view?.versions.findLast(({ position }) => maySee(position));
  return now && fact.type === 'message.sent' ? { ...fact, now: versionOf(now) } : fact;
};
