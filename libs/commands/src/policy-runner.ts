import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { CommandMeta, Policy, Recorded, ScriptaEvent } from '#domain';
import {
  RestoredLog,
  SubscriptionRunner,
  UnreadableEvent,
  uuidOf,
  type Checkpoint,
  type LogEvent,
  type Run,
} from '#platform';
import { PORTS, type Ports } from './ports.js';

/** Where each policy stands; losing it has it begin again, which changes nothing. */
const COLLECTION = 'policies';
/** Events that a policy passed over and reads again after a restart, at most. */
const PASSED_OVER_MAX = 1_000;
/** Pause before a policy that failed, because the log was away, goes on. */
const PAUSE_MS = 500;

const isMeant = ({ types }: Policy, type: string): boolean => {
  const known: ReadonlySet<string> | undefined = types;
  return known?.has(type) ?? true;
};

/** Runs policies: each fact in order, each command that it asks for, then the checkpoint. */
@Injectable()
export class PolicyRunner {
  readonly #logger = new Logger(PolicyRunner.name);
  readonly #runs = new Map<string, Run>();
  #isStopping = false;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly bus: CommandBus,
  ) {}

  /** Starts policies; they go on, through outages, until `stop`. */
  start(policies: readonly Policy[]): void {
    for (const policy of policies) void this.#keepRunning(policy);
  }

  /** Ends after the fact in hand. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#runs.values()].map((run) => run.stop()));
  }

  async #keepRunning(policy: Policy): Promise<void> {
    let from = await this.#checkpointOf(policy);
    while (!this.#isStopping) {
      try {
        const run = await this.#run(policy, from);
        await run.finished;
      } catch (error) {
        this.#logger.error(`${policy.name} pauses: ${String(error)}`);
        await this.ports.timer.sleep(PAUSE_MS);
        // In a log that was restored the policy begins again: what was done is known as done.
        from = error instanceof RestoredLog ? undefined : await this.#checkpointOf(policy);
      }
    }
  }

  async #checkpointOf({ name }: Policy): Promise<Checkpoint | undefined> {
    while (!this.#isStopping) {
      try {
        return await this.ports.operations.get<Checkpoint>(COLLECTION, name);
      } catch (error) {
        this.#logger.warn(`${name} waits for its checkpoint: ${String(error)}`);
        await this.ports.timer.sleep(PAUSE_MS);
      }
    }
    return undefined;
  }

  async #run(policy: Policy, from: Checkpoint | undefined): Promise<Run> {
    const runner = new SubscriptionRunner(this.ports);
    let passedOver = 0;
    const batch = async (events: readonly LogEvent[]) => {
      const meant = events.filter(({ type }) => isMeant(policy, type));
      for (const event of meant) await this.#react(policy, event);
      passedOver += events.length;
      const last = events.at(-1);
      if (!last || (meant.length === 0 && passedOver < PASSED_OVER_MAX)) return;
      passedOver = 0;
      const checkpoint: Checkpoint = { position: last.position, eventId: last.id };
      await this.ports.operations.put(COLLECTION, policy.name, checkpoint);
    };
    const run = await runner.run({ prefixes: policy.streams, from, consumer: { batch } });
    this.#runs.set(policy.name, run);
    if (this.#isStopping) await run.stop();
    return run;
  }

  async #react(policy: Policy, logged: LogEvent): Promise<void> {
    let event: Recorded<ScriptaEvent>;
    try {
      event = await this.ports.codec.decode(logged, false);
    } catch (error) {
      if (!(error instanceof UnreadableEvent)) throw error;
      this.#logger.error(`${policy.name} leaves out what it cannot read: ${error.message}`);
      return;
    }
    const meta = (index: number) => this.#metaOf(event, index);
    for (const command of policy.react(event, meta)) await this.bus.execute(command);
  }

  #metaOf(event: Recorded<ScriptaEvent>, index: number): CommandMeta {
    const commandId = uuidOf(`policy:${event.id}:${index}`);
    return {
      commandId,
      eventId: uuidOf(`event:${commandId}`),
      actor: 'by' in event.data ? event.data.by : event.id,
      at: this.ports.clock.iso(),
      correlationId: event.correlationId,
      causationId: event.id,
    };
  }
}
