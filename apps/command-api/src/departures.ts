import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Claims, People, PORTS, type Ports } from '#commands';
import {
  DeleteAccount,
  LeaveConversation,
  Rejection,
  UnfollowBroadcast,
  type CommandMeta,
  type MemberView,
  type UserView,
} from '#domain';
import { eventIdOf, QUERIES, uuidOf } from '#platform';

/** Pause between two looks for accounts whose time of grace has passed (ms). */
const LOOK_MS = 60_000;
/** Accounts of one look; the others are found by the next. */
const AT_ONCE = 100;

/**
 * Deletes accounts whose time of grace has passed: their people leave every group first, which
 * hands on what they own, then the account ends; its claims are released by a policy. Every step
 * may be repeated, by any number of processes, so a crash half way is ended by the next look.
 */
@Injectable()
export class Departures {
  readonly #logger = new Logger(Departures.name);
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isStopped = false;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly claims: Claims,
    private readonly people: People,
    private readonly bus: CommandBus,
  ) {}

  /** Looks now and then, until `stop`. */
  start(): void {
    if (this.#isStopped) return;
    this.#looking = this.#lookSafely();
    this.#cancel = this.ports.timer.after(LOOK_MS, () => this.start());
  }

  /** Ends after the account in hand. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#looking;
  }

  /** Deletes what is due now. */
  async look(): Promise<void> {
    const { view, ...due } = QUERIES.deletionsDue(this.ports.clock.iso(), AT_ONCE);
    for (const { _id } of await this.ports.views.find<UserView>(view, due)) {
      if (this.#isStopped) return;
      await this.#delete(_id);
    }
  }

  async #lookSafely(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      this.#logger.warn(`Deletions wait: ${String(error)}`);
    }
  }

  async #delete(userId: string): Promise<void> {
    const { state } = await this.people.latest(userId);
    const { phone, deletionDueAt } = state;
    // They may have logged in since.
    if (deletionDueAt === undefined || deletionDueAt > this.ports.clock.iso()) return;
    const phoneClaim = phone === undefined ? undefined : this.claims.streamOf('phone', phone);
    await this.#leaveAll(userId, deletionDueAt);
    const meta = this.#meta(`user-${userId}`, userId, `delete:${deletionDueAt}`);
    await this.people.run(new DeleteAccount({ userId, phoneClaim }, meta));
    this.#logger.log(`The account ${userId} is deleted: its time of grace has passed.`);
  }

  async #leaveAll(userId: string, dueAt: string): Promise<void> {
    const { view, ...places } = QUERIES.placesOf(userId);
    for (const { conversationId, role } of await this.ports.views.find<MemberView>(view, places)) {
      if (role === undefined) continue;
      const isFollower = role === 'follower';
      const stream = `${isFollower ? 'audience' : 'conversation'}-${conversationId}`;
      const meta = this.#meta(stream, userId, `leave:${conversationId}:${dueAt}`);
      const Leaving = isFollower ? UnfollowBroadcast : LeaveConversation;
      try {
        await this.bus.execute(new Leaving({ conversationId }, meta));
      } catch (error) {
        // A direct conversation has always its two, and some have been left meanwhile.
        if (!(error instanceof Rejection)) throw error;
      }
    }
  }

  #meta(stream: string, actor: string, step: string): CommandMeta {
    const commandId = uuidOf(`departure:${actor}:${step}`);
    return {
      commandId,
      eventId: eventIdOf(stream, '', commandId),
      actor,
      at: this.ports.clock.iso(),
      correlationId: commandId,
    };
  }
}
