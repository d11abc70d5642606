import type { Provider } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CommandsModule, PolicyRunner, type Accepted, type Ports } from '#commands';
import { cancelSchedules, RegisterUser, releaseClaims, type Command } from '#domain';
import {
  AccessTokens,
  JsonCodec,
  LocalRateLimiter,
  readConfig,
  uuidOf,
  type Codec,
  type Config,
} from '#platform';
import { Freshness } from '../../apps/command-api/src/freshness.js';
import { Inbox as Lists } from '../../apps/command-api/src/inbox.js';
import { Transcript } from '../../apps/command-api/src/transcript.js';
import { LiveProjection } from '../../apps/projector/src/projection.js';
import { Connections } from '../../apps/realtime/src/connections.js';
import { Doorman } from '../../apps/realtime/src/doorman.js';
import { Inbox } from '../../apps/realtime/src/inbox.js';
import { DeliveryLoop } from '../../apps/realtime/src/loop.js';
import { RealtimeModule } from '../../apps/realtime/src/realtime.module.js';
import { SocketGateway } from '../../apps/realtime/src/socket.gateway.js';
import { rebuild } from '../rebuild/rebuild.js';
import type { Draw } from './chance.js';
import { SimulatedRandom } from './chance.js';
import { SimulatedTokens, type SimulatedDatabase, type SimulatedKeys } from './database.js';
import { Injector } from './injector.js';
import { LogAt, type SimulatedLog } from './log.js';
import type { Network } from './network.js';
import { Actor, SimulatedClock, SimulatedTimer, type Course } from './time.js';

/** What all nodes stand on. */
export type Ground = Readonly<{
  course: Course;
  network: Network;
  log: SimulatedLog;
  database: SimulatedDatabase;
  keys: SimulatedKeys;
  draw: Draw;
}>;

const CONFIG: Config = readConfig({ RATE_LIMIT_COMMANDS: 'false', LOG_LEVEL: 'error' });

/** The metadata under which @nestjs/cqrs keeps the command of a handler. */
const HANDLES = '__commandHandler__';

/** A node that runs, dies and runs again; each run is an actor of its own. */
abstract class Node {
  actor: Actor;
  readonly clock: SimulatedClock;

  constructor(
    readonly name: string,
    protected readonly ground: Ground,
  ) {
    this.actor = new Actor(name);
    this.actor.isAlive = false;
    this.clock = new SimulatedClock(ground.course);
  }

  get isUp(): boolean {
    return this.actor.isAlive;
  }

  /** Begins a run. */
  start(): void {
    const actor = new Actor(this.name);
    this.actor = actor;
    this.ground.course.note(`${this.name} starts`);
    this.ground.course.plan(0, actor, 'start', () => this.begin(actor));
  }

  /** Ends at this very instant: nothing of what it was about to do is done. */
  crash(why: string): void {
    if (!this.isUp) return;
    this.actor.isAlive = false;
    this.ground.course.note(`${this.name} dies ${why}`);
    this.ground.log.drop(this.name);
  }

  protected abstract begin(actor: Actor): void;

  protected ports(actor: Actor): Ports {
    const { course, network, log, database, keys, draw } = this.ground;
    const random = new SimulatedRandom(draw);
    const timer = new SimulatedTimer(course, actor);
    return {
      config: CONFIG,
      store: new LogAt(log, network, actor),
      codec: new JsonCodec(keys, random),
      keys,
      views: database.viewsAt(actor, this.clock, timer),
      operations: database.operationsAt(actor),
      limiter: new LocalRateLimiter(this.clock),
      clock: this.clock,
      random,
      timer,
    };
  }

  /** The parts of a module, on this node's ports. */
  protected parts(
    ports: Ports,
    { providers = [] }: Readonly<{ providers?: Provider[] }>,
  ): Injector {
    const { providers: writing = [] } = CommandsModule.on(ports);
    const handlers = new Map<unknown, { execute: (command: Command) => Promise<Accepted> }>();
    const bus = {
      execute: (command: Command) => {
        const handler = handlers.get(command.constructor);
        if (!handler) throw new Error(`Nobody handles ${command.type}.`);
        return handler.execute(command);
      },
    };
    const tokens = new SimulatedTokens(ports.keys, ports.clock, CONFIG.ACCESS_TOKEN_TTL_S);
    const given = new Map<unknown, unknown>([
      [CommandBus, bus],
      [AccessTokens, tokens],
    ]);
    const parts = new Injector(given, [...writing, ...providers]);
    for (const provider of writing) {
      if (typeof provider !== 'function') continue;
      const command: unknown = Reflect.getMetadata(HANDLES, provider);
      if (command) handlers.set(command, parts.get(provider));
    }
    for (const provider of providers) if (typeof provider === 'function') parts.get(provider);
    return parts;
  }
}

/** A node of the socket door: the parts of `apps/realtime`, without Socket.IO. */
export class RealtimeNode extends Node {
  #parts: Injector | undefined;

  /** Whether it takes connections: it follows the log. */
  get isReady(): boolean {
    return this.isUp && this.#parts?.get(SocketGateway).isReady === true;
  }

  /** Place of the last event that its loop has delivered. */
  get deliveredTo(): number {
    return this.#parts?.get(DeliveryLoop).at.position ?? -1;
  }

  get doorman(): Doorman | undefined {
    return this.#parts?.get(Doorman);
  }

  get connections(): Connections | undefined {
    return this.#parts?.get(Connections);
  }

  get inbox(): Inbox | undefined {
    return this.#parts?.get(Inbox);
  }

  protected override begin(actor: Actor): void {
    const ports = this.ports(actor);
    this.#parts = this.parts(ports, RealtimeModule.on(ports));
    this.#parts.begin();
  }
}

/** A node of the REST door, as far as the SDK reads from it; it runs the policies. */
export class ApiNode extends Node {
  #parts: Injector | undefined;
  #reading: Readonly<{ lists: Lists; transcript: Transcript; fresh: Freshness }> | undefined;

  get reading() {
    return this.#reading;
  }

  protected override begin(actor: Actor): void {
    const ports = this.ports(actor);
    const { views } = ports;
    this.#reading = {
      lists: new Lists(views),
      transcript: new Transcript(views),
      fresh: new Freshness(views),
    };
    this.#parts = this.parts(ports, {});
    this.#parts.get(PolicyRunner).start([releaseClaims, cancelSchedules]);
  }

  /** Lets somebody become a person, as after a login. */
  register(userId: string, name: string): void {
    const { course } = this.ground;
    course.plan(0, this.actor, 'register', () => {
      const commandId = uuidOf(`register ${userId}`);
      const meta = {
        commandId,
        eventId: uuidOf(`registered ${userId}`),
        actor: userId,
        at: this.clock.iso(),
        correlationId: commandId,
      };
      const command = new RegisterUser({ userId, name, phone: '+43000' }, meta);
      this.#parts
        ?.get(CommandBus)
        .execute(command)
        .catch((error: unknown) => course.note(`${name} is not registered: ${String(error)}`));
    });
  }
}

/** A projector. */
export class ProjectorNode extends Node {
  protected override begin(actor: Actor): void {
    const { store, codec, clock, random, timer } = this.ports(actor);
    const { database } = this.ground;
    const projection = new LiveProjection({
      store,
      codec,
      clock,
      random,
      timer,
      writer: database.writerAt(actor),
      views: database.switchAt(actor),
    });
    const failed = (error: unknown) => {
      if (actor.isAlive) this.crash(`of ${String(error)}`);
    };
    projection
      .start()
      .then(({ finished }) => finished)
      .catch(failed);
  }
}

const ignored = (): void => undefined;

/** A rebuild of the read models beside the living projectors; it runs once. */
export class RebuildNode extends Node {
  protected override begin(actor: Actor): void {
    const { store, codec, clock, random, timer } = this.ports(actor);
    const { database, course } = this.ground;
    const writer = database.writerAt(actor);
    const views = database.switchAt(actor);
    const log = ignored;
    const ports = { store, codec, clock, random, timer, writer, views, log };
    rebuild(ports, { compare: false, onProgress: log })
      .then(({ events }) => course.note(`${this.name} is done, ${events} events`))
      .catch((error: unknown) => course.note(`${this.name} gives up: ${String(error)}`))
      .finally(() => {
        actor.isAlive = false;
      });
  }
}

/** A codec that opens what is in the log, for the checks. */
export const codecOf = ({ keys, draw }: Ground): Codec =>
  new JsonCodec(keys, new SimulatedRandom(draw));
