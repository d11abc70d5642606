import { Inject, Injectable } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { mayRead, memberKey, reject, type MemberView } from '#domain';
import { lastHead, LogProver, type KeptHead } from '#platform';
import type { ConversationProof } from '#proof';

/** Facts of one proof: about 2.5 KiB each as JSON. */
export const PROOF_FACTS_MAX = 2_000;

/** Which part of a conversation is to be proven. */
export type Part = Readonly<{ from: number; limit: number }>;

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
    const checkpoint = await views.checkpoint('members');
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
    return prover.prove(conversationId, events, keys) satisfies Promise<ConversationProof>;
  }
}
