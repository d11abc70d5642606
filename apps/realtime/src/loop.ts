import { Inject, Injectable, Logger } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import type { Recorded, ScriptaEvent } from '#domain';
import { crashPoint, isOutage, waitOut, type Checkpoint, type LogEvent } from '#platform';
import { ORIGIN } from './cursor.js';
import { deliveriesOf, type Delivery } from './deliveries.js';
import { emissionOf, type Emission } from './frames.js';
import { Parking } from './parking.js';
import { RegisterNews } from './register-news.js';
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
    @Inject(PORTS) private readonly ports: Ports,
    private readonly rooms: Rooms,
    private readonly registers: RegisterNews,
    private readonly parking: Parking,
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
    const head = await this.ports.store.head(FOLLOWED_PREFIXES);
    const heard = await this.ports.store.head(HEARD_PREFIXES);
    await this.parking.begin();
    if (!head) return undefined;
    this.#at = head;
    this.#heardPosition = Math.min(head.position, heard?.position ?? ORIGIN.position);
    return head.position;
  }

  /** Waits no longer for a store that is away. */
  stop(): void {
    this.parking.stop();
  }

  /** Handles events in order. One that cannot be told is parked with its stream; others go on. */
  async handle(events: readonly LogEvent[]): Promise<void> {
    const read = await Promise.all(events.map(async (event) => this.#read(event)));
    for (const [index, event] of read.entries()) {
      const logged = events[index];
      if (!logged) continue;
      if (event) this.#tell(event, logged);
      this.#at = { position: logged.position, eventId: logged.id };
    }
  }

  async #read(event: LogEvent): Promise<Recorded<ScriptaEvent> | undefined> {
    try {
      return await this.ports.codec.decode(event, true);
    } catch (error) {
      return this.#readAgain(event, error);
    }
  }

  /** An outage parks nothing: all wait for it. */
  async #readAgain(event: LogEvent, failure: unknown): Promise<Recorded<ScriptaEvent> | undefined> {
    const log = (message: string) => this.#logger.warn(message);
    const isStopped = () => this.parking.isStopped;
    try {
      if (!isOutage(failure)) throw failure;
      return await waitOut({ ...this.ports, log, isStopped }, async () =>
        this.ports.codec.decode(event, true),
      );
    } catch (error) {
      if (isOutage(error)) throw error;
      this.parking.park(event, error);
      return undefined;
    }
  }

  #tell(event: Recorded<ScriptaEvent>, logged: LogEvent): void {
    if (this.parking.waits(event)) return;
    try {
      this.#deliver(event);
    } catch (error) {
      this.parking.park(logged, error);
    }
  }

  #deliver(event: Recorded<ScriptaEvent>): void {
    if (this.registers.hear(event)) return;
    const delivery = deliveriesOf(event);
    if (!delivery) return;
    this.#heardPosition = event.position;
    if (!this.rooms.isHeard(delivery)) return;
    this.rooms.deliver(delivery, emissionOfFact(delivery, event.position));
    crashPoint('realtime.mid-emit');
  }
}
