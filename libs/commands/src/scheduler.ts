import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  EndSchedule,
  Rejection,
  ReleaseSchedule,
  type CommandMeta,
  type RejectionCode,
  type ScheduledView,
} from '#domain';
import {
  crashPoint,
  eventIdOf,
  LogUnavailable,
  QUERIES,
  uuidOf,
  type Cancel,
  type Stored,
} from '#platform';
import { CommandDoor } from './command-door.js';
import { People } from './people.js';
import { PORTS, type Ports } from './ports.js';

/** Pause between two looks for messages whose time has come (ms): nobody reads seconds. */
const LOOK_MS = 1_000;
/** Messages of one look; the others are found by the next, which comes at once. */
const AT_ONCE = 1_000;
/** How long after its time a message is still tried (ms): later, it says the wrong thing. */
const LATE_MS_MAX = 60 * 60 * 1_000;
/** Messages of which it is remembered that they were said: the read model may lag behind. */
const DONE_MAX = 10_000;

/** Refusals that say nothing about the message: it is tried again. */
const PASSING: ReadonlySet<RejectionCode> = new Set([
  'behind',
  'conflict',
  'rate_limited',
  'unavailable',
]);

type Due = Stored<ScheduledView>;

const nameOf = ({ _id, version }: Due): string => `${_id}:${version}`;

/** The device that a person's scheduled messages come from: the same for all of them. */
const schedulerOf = (userId: string): string => uuidOf(`scheduler:${userId}`);

/**
 * Says scheduled messages when their time has come, through the door that devices use. First the
 * message is released, so that it can be changed no more; then it is sent under an id that follows
 * from its own; then it ends. Each step may be repeated by any number of processes, so that a crash
 * between two is made good by the next look, and nothing is said twice.
 */
@Injectable()
export class Scheduler {
  readonly #logger = new Logger(Scheduler.name);
  readonly #done = new Set<string>();
  #cancel: Cancel | undefined;
  #looking: Promise<void> | undefined;
  #isStopped = false;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly people: People,
    private readonly bus: CommandBus,
    private readonly door: CommandDoor,
  ) {}

  /** Looks every second, until `stop`. */
  start(): void {
    if (this.#isStopped) return;
    this.#looking = this.#lookAndGoOn();
  }

  /** Ends after the message in hand. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#looking;
  }

  /** Says what is due now; whether there is more. */
  async look(): Promise<boolean> {
    const { view, ...query } = QUERIES.scheduledDue(this.ports.clock.iso(), AT_ONCE);
    const due = await this.ports.views.find<ScheduledView>(view, query);
    let count = 0;
    for (const one of due) {
      if (this.#isStopped) return false;
      if (!this.#done.has(nameOf(one)) && (await this.#saySafely(one))) count += 1;
    }
    return count > 0 && due.length === AT_ONCE;
  }

  async #lookAndGoOn(): Promise<void> {
    const isMore = await this.#lookSafely();
    if (this.#isStopped) return;
    this.#cancel = this.ports.timer.after(isMore ? 0 : LOOK_MS, () => this.start());
  }

  async #lookSafely(): Promise<boolean> {
    try {
      return await this.look();
    } catch (error) {
      this.#logger.warn(`Scheduled messages wait: ${String(error)}`);
      return false;
    }
  }

  /** Whether it came to an end; one that did not holds up no other. */
  async #saySafely(one: Due): Promise<boolean> {
    try {
      await this.#say(one);
      this.#remember(nameOf(one));
      return true;
    } catch (error) {
      // Its person has changed it meanwhile, or it is over.
      if (error instanceof Rejection) return false;
      if (error instanceof LogUnavailable) throw error;
      this.#logger.error(`${one._id} waits: ${String(error)}`);
      return false;
    }
  }

  async #say(one: Due): Promise<void> {
    const { _id: scheduleId, userId, conversationId, message, version } = one;
    const meta = (step: string): CommandMeta => this.#meta(userId, scheduleId, step);
    const released = { userId, scheduleId, version };
    await this.bus.execute(new ReleaseSchedule(released, meta(`release:${version}`)));
    crashPoint('schedule.released');
    try {
      const messageId = await this.#send({ userId, scheduleId, conversationId, message });
      crashPoint('schedule.sent');
      const sent = { userId, scheduleId, outcome: 'sent', messageId } as const;
      await this.bus.execute(new EndSchedule(sent, meta(`end:${version}`)));
    } catch (error) {
      if (!(error instanceof Rejection) || this.#mayPass(one, error)) throw error;
      const outcome = error.code === 'not_found' ? 'left' : 'refused';
      const refused = { userId, scheduleId, outcome, code: error.code } as const;
      await this.bus.execute(new EndSchedule(refused, meta(`end:${version}`)));
    }
  }

  #mayPass({ sendAt }: Due, { code }: Rejection): boolean {
    return PASSING.has(code) && this.ports.clock.now() - Date.parse(sendAt) < LATE_MS_MAX;
  }

  async #send({
    userId,
    scheduleId,
    conversationId,
    message,
  }: Readonly<{
    userId: string;
    scheduleId: string;
    conversationId: string;
    message: string;
  }>): Promise<string> {
    const { state } = await this.people.latest(userId);
    if (state.status !== 'active' || state.deletionDueAt !== undefined || message === '')
      throw new Rejection('unauthorized', 'This account is closed.');
    // It was checked when it came, and the door checks it again.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const data = { ...(JSON.parse(message) as object), conversationId };
    const envelope = { v: 1, id: uuidOf(`scheduled:${scheduleId}`), data };
    const who = { userId, deviceId: schedulerOf(userId) };
    const accepted = await this.door.execute('message.send', envelope, who);
    return String(accepted.data['messageId']);
  }

  #meta(userId: string, scheduleId: string, step: string): CommandMeta {
    const commandId = uuidOf(`schedule:${scheduleId}:${step}`);
    return {
      commandId,
      eventId: eventIdOf(`own-${userId}`, '', commandId),
      actor: userId,
      at: this.ports.clock.iso(),
      correlationId: commandId,
    };
  }

  #remember(name: string): void {
    this.#done.add(name);
    const [oldest] = this.#done;
    if (this.#done.size > DONE_MAX && oldest !== undefined) this.#done.delete(oldest);
  }
}
