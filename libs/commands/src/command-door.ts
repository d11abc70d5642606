import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { reject, type Command } from '#domain';
import {
  crashPoint,
  eventIdOf,
  limitOf,
  macOf,
  type Limit,
  type SubjectKey,
  type Who,
} from '#platform';
import { OtherStreams } from './beforehand.js';
import { checked } from './checked.js';
import { COMMANDS } from './commands.js';
import type { CommandEntry, Draft } from './entries.js';
import type { Accepted } from './held.js';
import { id } from './inputs.js';
import { PORTS, type Ports } from './ports.js';
import { Welcome } from './welcome.js';

/** Hex digits of a body's HMAC that the log keeps: 128 bits tell bodies apart. */
const DIGEST_HEX = 32;

const envelopeSchema = z.strictObject({
  v: z.literal(1),
  id,
  n: z.int().min(1).optional(),
  data: z.unknown(),
  expect: z.int().min(-1).optional(),
});

/** A command as it comes through a door. */
export type CommandEnvelope = z.infer<typeof envelopeSchema>;

/** What a door knows of a call beside the envelope. */
export type Calling = Readonly<{
  /** The id was made by the door for this call; no repeat of it can have come before. */
  once?: boolean;
  /** Ties the facts to the caller's trace; made up when absent. */
  correlationId?: string;
}>;

/** The one way in for commands: both doors hand over the name, the envelope and who speaks. */
@Injectable()
export class CommandDoor {
  readonly #entries = new Map<string, CommandEntry>(Object.entries(COMMANDS));
  readonly #limit: Limit | undefined;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly bus: CommandBus,
    private readonly others: OtherStreams,
    private readonly welcome: Welcome,
  ) {
    this.#limit = limitOf(ports.config, 'commands');
  }

  /** Whether a command goes by this name. */
  takes(name: string): boolean {
    return this.#entries.has(name);
  }

  /**
   * Checks, limits and carries out. Throws a `Rejection` that the caller may read, `LogUnavailable`
   * when the log stays away (the outcome is unknown: repeat with the same id), or a bug.
   */
  async execute(
    name: string,
    envelope: unknown,
    { userId, deviceId }: Who,
    { once, correlationId }: Calling = {},
  ): Promise<Accepted> {
    const entry = this.#entries.get(name);
    if (!entry) return reject('unknown_event', 'There is no such command.');
    const { id: commandId, n, data: given, expect } = checked(envelopeSchema, envelope);
    const data: unknown = checked(entry.input, given);
    await this.#mayDoMore(deviceId);
    const draft: Draft = {
      commandId,
      actor: userId,
      device: deviceId,
      ...(n === undefined ? {} : { n }),
      ...(expect === undefined ? {} : { expect }),
      ...(once ? { once } : {}),
      digest: this.#digest(await this.#keyOf(userId), name, data),
      at: this.ports.clock.iso(),
      correlationId: correlationId ?? this.ports.random.uuid(),
    };
    crashPoint('command.validated');
    const command = await this.#commandOf(entry, data, draft);
    const accepted = await this.bus.execute<Command, Accepted>(command);
    crashPoint('command.before-ack');
    return accepted;
  }

  async #commandOf(entry: CommandEntry, data: unknown, draft: Draft): Promise<Command> {
    // Every input's schema describes an object.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    let known = data as object;
    if (entry.beforehand) known = await entry.beforehand(data, draft, this.others);
    const stream = entry.streamOf(known, draft);
    const eventId = eventIdOf(stream, draft.device ?? '', draft.commandId);
    const command = entry.toCommand(known, { ...draft, eventId });
    if (!stream.startsWith('conversation-')) return command;
    const refused = this.welcome.refuses(command);
    const isUnwelcome = typeof refused === 'boolean' ? refused : await refused;
    return isUnwelcome ? entry.toCommand(known, { ...draft, eventId, unwelcome: true }) : command;
  }

  async #mayDoMore(deviceId: string): Promise<void> {
    if (!this.#limit) return;
    const taken = this.ports.limiter.take(this.#limit, deviceId);
    const retryAfterMs = typeof taken === 'number' ? taken : await taken;
    if (retryAfterMs > 0)
      reject('rate_limited', 'Too many commands; wait a little.', { retryAfterMs });
  }

  async #keyOf(userId: string): Promise<SubjectKey> {
    const found = this.ports.keys.find(userId);
    const key = found instanceof Promise ? await found : found;
    return (
      key ??
      (await this.ports.keys.ensure(userId)) ??
      reject('unauthorized', 'This account was erased.')
    );
  }

  #digest(key: SubjectKey, type: string, data: unknown): string {
    const body = canonicalize({ type, data }) ?? '';
    return macOf(key, body).slice(0, DIGEST_HEX);
  }
}
