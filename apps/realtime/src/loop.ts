import { Injectable, Logger } from '@nestjs/common';
import type { Recorded, ScriptaEvent } from '#domain';
import { Codec, crashPoint, EventStore, type Checkpoint, type LogEvent } from '#platform';
import { ORIGIN } from './cursor.js';
import { deliveriesOf, type Delivery } from './deliveries.js';
import { emissionOf, type Emission } from './frames.js';
import { ReceiptNews } from './receipts.js';
import { Rooms } from './rooms.js';

/** Streams whose facts members hear of. */
export const HEARD_PREFIXES = ['conversation-', 'audience-'] as const;
/** Everything the loop follows. */
export const FOLLOWED_PREFIXES = [...HEARD_PREFIXES, 'receipts-'] as const;

/** A fact as it is emitted to a room. */
export const emissionOfFact = ({ fact }: Pick<Delivery, 'fact'>, position: number): Emission =>
  emissionOf(fact.type, fact, {
    position,
    conversationId: fact.conversationId,
    seq: fact.type === 'message.sent' ? fact.seq : undefined,
    actor: fact.actor,
  });

/**
 * The one loop that emits and that moves people in and out of rooms, in the order of the log:
 * because both happen here, nobody hears what was said after they were removed.
 */
@Injectable()
export class DeliveryLoop {
  readonly #logger = new Logger('DeliveryLoop');
  #at: Checkpoint = ORIGIN;
  #heardPosition = ORIGIN.position;

  constructor(
    private readonly store: EventStore,
    private readonly codec: Codec,
    private readonly rooms: Rooms,
    private readonly receipts: ReceiptNews,
  ) {}

  /** The last event that was handled. */
  get at(): Checkpoint {
    return this.#at;
  }

  /** Position of the last event that members hear of: what views of facts must have reached. */
  get heardPosition(): number {
    return this.#heardPosition;
  }

  /** Takes the log's end as where to begin: what came before is paged from the views. */
  async begin(): Promise<number | undefined> {
    const head = await this.store.head(FOLLOWED_PREFIXES);
    const heard = await this.store.head(HEARD_PREFIXES);
    if (!head) return undefined;
    this.#at = head;
    this.#heardPosition = Math.min(head.position, heard?.position ?? ORIGIN.position);
    return head.position;
  }

  /** Handles events in order. One that cannot be read is left out, loudly; the others go on. */
  async handle(events: readonly LogEvent[]): Promise<void> {
    const read = await Promise.all(events.map(async (event) => this.#read(event)));
    for (const [index, event] of read.entries()) {
      if (event) this.#deliver(event);
      const { position, id } = events[index] ?? { position: this.#at.position, id: '' };
      this.#at = { position, eventId: id };
    }
  }

  async #read(event: LogEvent): Promise<Recorded<ScriptaEvent> | undefined> {
    try {
      return await this.codec.decode(event, true);
    } catch (error) {
      this.#logger.error(`Event ${event.id} at ${event.position} cannot be read: ${String(error)}`);
      return undefined;
    }
  }

  #deliver(event: Recorded<ScriptaEvent>): void {
    if (event.type === 'MarksMoved') {
      this.receipts.tell(event);
      return;
    }
    const delivery = deliveriesOf(event);
    if (!delivery) return;
    this.#heardPosition = event.position;
    if (!this.rooms.isHeard(delivery)) return;
    this.rooms.deliver(delivery, emissionOfFact(delivery, event.position));
    crashPoint('realtime.mid-emit');
  }
}
