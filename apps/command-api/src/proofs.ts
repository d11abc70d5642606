import { Inject, Injectable } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { mayRead, memberKey, reject, type MemberView, type MessageView } from '#domain';
import { lastHead, LogProver, type KeptHead, type LogEvent } from '#platform';
import type { ConversationProof } from '#proof';

/** Facts of one proof: about 2.5 KiB each as JSON. */
export const PROOF_FACTS_MAX = 2_000;

/** Which part of a conversation is to be proven. */
export type Part = Readonly<{ from: number; limit: number }>;

const messageIdOf = ({ data: { messageId } }: LogEvent): string =>
  typeof messageId === 'string' ? messageId : '';

/** Gives people proof of what was said where they were. */
@Injectable()
export class Proofs {
  constructor(@Inject(PORTS) private readonly ports: Ports) {}

  /** The latest signed head over the log. Refused with `behind` while there is none. */
  async head(): Promise<Omit<KeptHead, 'revision'>> {
    const head = await lastHead(this.ports.store);
    if (!head) return reject('behind', 'No head was signed yet; ask again in a while.');
    const { revision: _revision, ...signed } = head;
    return signed;
  }

  /** A part of a conversation with its proofs, as far as the reader was there. */
  async of(userId: string, conversationId: string, { from, limit }: Part) {
    const { store, keys, operations, views } = this.ports;
    // Read before the membership: nothing above it may be shown, for it may come after a removal.
    const checkpoint = Math.min(
      ...(await Promise.all([views.checkpoint('members'), views.checkpoint('messages')])),
    );
    const [place] = await views.get<MemberView>('members', [memberKey(conversationId, userId)]);
    if (!place) return reject('not_found', 'There is no such conversation, or you are not in it.');
    const prover = await LogProver.fromTiles(store, operations);
    const provenTo = Math.min(checkpoint, prover?.position ?? -1);
    const page = await store.read(`conversation-${conversationId}`, from, limit);
    const events = page.filter(
      ({ position }) => position <= provenTo && mayRead(place.intervals, position),
    );
    if (!prover || events.length === 0)
      return reject('behind', 'Nothing of this is under a signed head yet; ask again in a while.');
    const deleted = await this.#deleted(events);
    // What was taken back is proven to have been there, and opened to nobody.
    const isClosed = (logged: LogEvent) => deleted.has(messageIdOf(logged));
    return prover.prove(conversationId, events, {
      keys,
      isClosed,
    }) satisfies Promise<ConversationProof>;
  }
  async #deleted(events: readonly LogEvent[]): Promise<ReadonlySet<string>> {
    const ids = new Set(events.map(messageIdOf).filter((id) => id !== ''));
    if (ids.size === 0) return new Set();
    const changed = await this.ports.views.get<MessageView>('messages', [...ids]);
    return new Set(changed.flatMap(({ _id, deleted }) => (deleted ? [_id] : [])));
  }
}
