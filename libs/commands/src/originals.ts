import canonicalize from 'canonicalize';
import { z } from 'zod';
import { conversation, reject, type MessageView, type Original } from '#domain';
import { limitOf, ViewsUnavailable, type Limit } from '#platform';
import { textIn, type Found, type Messages, type Named } from './messages.js';
import type { Ports } from './ports.js';
import type { Streams } from './streams.js';

/** How long the look-up of the latest version waits for the read model (`behind` after it). */
const VERSION_WITHIN_MS = 2_000;
/** Passed on so often, a message is one that goes round (as WhatsApp counts it). */
const FREQUENT_FORWARDS = 5;

const contentSchema = z.looseObject({
  entities: z.array(z.looseObject({ type: z.string() })).optional(),
});

/** Elsewhere it means nobody: those are the people of the conversation that it was said in. */
const withoutMentions = (content: string | undefined): string | undefined => {
  // Of what its author's key no longer opens nothing is left.
  if (content === undefined || content === '') return undefined;
  const { entities = [], ...others } = contentSchema.parse(JSON.parse(content));
  const kept = entities.filter(({ type }) => type !== 'mention' && type !== 'all');
  const left = { ...others, ...(kept.length > 0 ? { entities: kept } : {}) };
  return Object.keys(left).length > 0 ? canonicalize(left) : undefined;
};

/** What a message says: since it was last edited, or as it was said. */
const bodyOf = ({ data }: Found, view: MessageView | undefined) => {
  const version = view?.versions.at(-1);
  const text = (version ? version.text : textIn(data, 'text')) ?? '';
  const content = version ? version.content : textIn(data, 'content');
  return { text, content: withoutMentions(content) };
};

/** Messages as they stand, to be passed on. */
export class Originals {
  readonly #limits: Readonly<Record<'usual' | 'frequent', Limit | undefined>>;

  constructor(
    private readonly ports: Ports,
    private readonly streams: Streams,
    private readonly messages: Messages,
  ) {
    this.#limits = {
      usual: limitOf(ports.config, 'forwards'),
      frequent: limitOf(ports.config, 'frequent-forwards'),
    };
  }

  /**
   * A message to be passed on; `undefined` once it was deleted or its author erased. Throws
   * `not_found` where the reader was not there for it, and `rate_limited`.
   */
  async find(reader: string, named: Named): Promise<Original | undefined> {
    const found = await this.messages.read(reader, named);
    const stream = `conversation-${named.conversationId}`;
    const latest = Number.MAX_SAFE_INTEGER;
    const { state, position } = await this.streams.look(conversation, stream, latest);
    if (state.deleted.has(named.messageId)) return undefined;
    const view = await this.#view(named.messageId, position);
    const { text, content } = bodyOf(found, view);
    if (view?.deleted || (text === '' && content === undefined)) return undefined;
    const { by, author = by, kind, data } = found;
    const forwards = Number(data['forwards'] ?? 0);
    await this.#mayPassOn(reader, forwards);
    return { text, kind, content, author, forwards };
  }

  /** What became of a message, as of a place in the log. */
  async #view(messageId: string, position: number): Promise<MessageView | undefined> {
    const { views } = this.ports;
    try {
      if (!(await views.reached(['messages'], position, VERSION_WITHIN_MS)))
        return reject('behind', 'The read models are catching up; try again.');
      const [view] = await views.get<MessageView>('messages', [messageId]);
      return view;
    } catch (error) {
      if (!(error instanceof ViewsUnavailable)) throw error;
      return reject('unavailable', 'Older messages cannot be looked up just now; try again.');
    }
  }

  async #mayPassOn(reader: string, forwards: number): Promise<void> {
    const limit = this.#limits[forwards >= FREQUENT_FORWARDS ? 'frequent' : 'usual'];
    const retryAfterMs = limit ? await this.ports.limiter.take(limit, reader) : 0;
    if (retryAfterMs > 0)
      reject('rate_limited', 'Too much was passed on; wait a little.', { retryAfterMs });
  }
}
