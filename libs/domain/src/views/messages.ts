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
  /** For the reader's own check of the text. */
  salt?: string;
}>;

/** What became of a message after it was said; the document's id is the message's. */
export type MessageView = Readonly<{
  conversationId: string;
  /** Oldest first; none once it was deleted. */
  versions: readonly MessageVersion[];
  deleted?: Readonly<{ by: string; at: string }>;
}>;

/** What a fact's reader is told beside it. */
export type ShownFact = Fact & Readonly<{ now?: ShownVersion; deleted?: true }>;

/** A version as readers know it. */
export type ShownVersion = Omit<MessageVersion, 'position' | 'salt'>;

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
    const salt = event.proof?.salt;
    const version = {
      seq,
      position,
      at,
      text,
      ...(content ? { content } : {}),
      ...(salt === undefined ? {} : { salt }),
    };
    return { ...view, versions: [...view.versions, version] };
  },
};

/** The message that a fact says or edits; `undefined` for all others. */
export const messageOf = ({ type, data }: Fact): string | undefined =>
  type === 'message.sent' || type === 'message.edited' ? String(data['messageId']) : undefined;

/** A fact without what it said: what stays of its proof is the commitment. */
export const withoutText = <F extends Pick<Fact, 'data' | 'proof'>>(fact: F): F => {
  const { salt: _salt, ...proof } = fact.proof ?? { prev: '' };
  const { content: _content, ...data } = fact.data;
  return { ...fact, data: { ...data, text: '' }, ...(fact.proof ? { proof } : {}) };
};

/** A version as readers know it. */
export const versionOf = ({
  position: _position,
  salt: _salt,
  ...version
}: MessageVersion): ShownVersion => version;

/** An edit with the text that its message keeps. */
const retold = (fact: Fact, view: MessageView | undefined): Fact => {
  const version = view?.versions.find(({ seq }) => seq === fact.seq);
  if (!version) return fact;
  const { text, content, salt } = version;
  const data = { ...fact.data, text, ...(content === undefined ? {} : { content }) };
  const proof = fact.proof && { ...fact.proof, ...(salt === undefined ? {} : { salt }) };
  return { ...fact, data, ...(proof ? { proof } : {}) };
};

/**
 * A fact as it is shown today: beside a message the latest version that the reader may see; of a
 * deleted one nothing that it said, only the commitment, so that the links still hold.
 */
export const shownFact = (
  fact: Fact,
  view: MessageView | undefined,
  maySee: (position: number) => boolean,
): ShownFact => {
  if (view?.deleted) return { ...withoutText(fact), deleted: true };
  if (fact.type === 'message.edited') return retold(fact, view);
  const now = view?.versions.findLast(({ position }) => maySee(position));
  return now ? { ...fact, now: versionOf(now) } : fact;
};
