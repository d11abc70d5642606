import { Logger } from '@nestjs/common';
import { releaseClaims } from '#domain';
import { onCrashPoint, plant, PROJECTIONS, type PlantedBug } from '#platform';
import { between, drawing, percent, SimulatedRandom, type Draw } from './chance.js';
import { SimulatedDatabase, SimulatedKeys } from './database.js';
import { Device } from './devices.js';
import { SimulatedLog } from './log.js';
import { Network } from './network.js';
import { ApiNode, ProjectorNode, RealtimeNode, RebuildNode, type Ground } from './nodes.js';
import { Course } from './time.js';
import { Wires } from './wires.js';

/** How many there are of everything, drawn from the seed. */
const PEOPLE = [3, 6] as const;
const PROJECTORS = [1, 3] as const;
const GROUPS = [2, 4] as const;
/** In a hundred people, so many have a second device. */
const SECOND_DEVICE_PERCENT = 40;

/** A group as those who play it know it; the log may say otherwise. */
export type Group = Readonly<{ id: string; owner: Device; members: Set<string> }>;

/** All nodes and all clients of one seed, in one process. */
export class World {
  readonly course = new Course();
  readonly network: Network;
  readonly log: SimulatedLog;
  readonly database: SimulatedDatabase;
  readonly ground: Ground;
  readonly realtime: readonly RealtimeNode[];
  readonly api: ApiNode;
  readonly projectors: readonly ProjectorNode[];
  /** Runs when an act asks for it. */
  readonly rebuild: RebuildNode;
  readonly wires: Wires;
  readonly devices: Device[] = [];
  readonly groups: Group[] = [];
  /** What people do, and what goes wrong, draw apart from what nodes draw. */
  readonly plays: Draw;
  readonly breaks: Draw;

  constructor(
    readonly seed: number,
    bug?: PlantedBug,
  ) {
    Logger.overrideLogger(false);
    plant(bug);
    const [net, nodes, clients] = [1, 2, 3].map((part) => drawing(seed * 16 + part));
    const draw = nodes ?? drawing(seed);
    this.plays = drawing(seed * 16 + 4);
    this.breaks = drawing(seed * 16 + 5);
    this.network = new Network(this.course, net ?? draw);
    this.log = new SimulatedLog(this.course, draw);
    this.database = new SimulatedDatabase(this.network, draw);
    const keys = new SimulatedKeys(seed);
    const { course, network, log, database } = this;
    this.ground = { course, network, log, database, keys, draw };
    this.realtime = ['socket-1', 'socket-2'].map((name) => new RealtimeNode(name, this.ground));
    this.api = new ApiNode('rest', this.ground);
    this.rebuild = new RebuildNode('rebuild', this.ground);
    const projectors = between(this.plays, ...PROJECTORS);
    this.projectors = Array.from(
      { length: projectors },
      (_, index) => new ProjectorNode(`projector-${index + 1}`, this.ground),
    );
    this.wires = new Wires(network, net ?? draw, this.realtime, this.api);
    this.#people(clients ?? draw);
  }

  get nodes() {
    return [...this.realtime, this.api, ...this.projectors];
  }

  /** Starts everything, and waits until all are live and in their groups. */
  async begin(): Promise<boolean> {
    for (const node of this.nodes) node.start();
    await this.course.until(() => this.realtime.every(({ isReady }) => isReady), 10_000);
    for (const device of this.devices) device.start();
    if (!(await this.course.until(() => this.devices.every((one) => one.isAtRest), 60_000)))
      return false;
    for (const { userId, name } of this.devices)
      if (name.endsWith('1')) this.api.register(userId, name.slice(0, 1));
    const ids = new SimulatedRandom(this.plays);
    const people = [...new Set(this.devices.map(({ userId }) => userId))];
    const isKnown = () =>
      people.every((id) => this.log.events.some(({ stream }) => stream === `user-${id}`));
    await this.course.until(isKnown, 10_000);
    for (let count = between(this.plays, ...GROUPS); count > 0; count -= 1) {
      const owner = this.devices[this.plays(this.devices.length)];
      if (!owner) return false;
      const members = people.filter((id) => id !== owner.userId && percent(this.plays, 60));
      const conversationId = ids.uuid();
      const group = { id: conversationId, owner, members: new Set([owner.userId, ...members]) };
      this.groups.push(group);
      const made = { name: `Group ${count}`, members, conversationId };
      owner.act(`begins ${conversationId.slice(0, 4)}`, (client) => client.startGroup(made));
    }
    const areIn = () => this.devices.every((one) => one.isAtRest);
    if (!(await this.course.until(areIn, 60_000))) return false;
    for (const device of this.devices) device.settle();
    return true;
  }

  /** Ends all faults: every node runs, everybody reaches everybody. */
  heal(): void {
    this.course.note('all faults end');
    this.network.healAll();
    this.wires.slow.clear();
    this.log.restart();
    this.database.isUp = true;
    // What was cut and is whole again finds its connections dead.
    this.log.drop();
    for (const node of this.nodes) if (!node.isUp) node.start();
    for (const device of this.devices) if (!device.isRunning) device.start();
  }

  /** Whether nothing is left to be done. */
  isAtRest(): boolean {
    if (!this.devices.every((one) => one.isAtRest)) return false;
    const heard = this.log.events.findLast(({ stream }) =>
      /^(conversation|receipts)-/.test(stream),
    );
    if (!heard) return true;
    const ofPeople = this.#lastOf('user-');
    if (this.rebuild.isUp || this.#policyAt() < ofPeople) return false;
    const { checkpoints } = this.database.views;
    const reached = PROJECTIONS.map(({ name }) => checkpoints.get(name)?.scanned ?? -1);
    const delivered = this.realtime.map(({ deliveredTo }) => deliveredTo);
    const folded = Math.max(heard.position, ofPeople);
    return Math.min(...delivered) >= heard.position && Math.min(...reached) >= folded;
  }

  /** Lets go of what the process shares. */
  end(): void {
    onCrashPoint();
    plant();
    for (const node of [...this.nodes, this.rebuild]) node.actor.isAlive = false;
  }

  #policyAt(): number {
    const kept = this.database.operations.get(`policies/${releaseClaims.name}`);
    return kept ? Number(Reflect.get(kept, 'position')) : -1;
  }

  #lastOf(prefix: string): number {
    return this.log.events.findLast(({ stream }) => stream.startsWith(prefix))?.position ?? -1;
  }

  #people(draw: Draw): void {
    const ids = new SimulatedRandom(draw);
    const { course, wires } = this;
    for (let count = between(this.plays, ...PEOPLE), index = 0; index < count; index += 1) {
      const userId = ids.uuid();
      const devices = percent(this.plays, SECOND_DEVICE_PERCENT) ? 2 : 1;
      for (let own = 1; own <= devices; own += 1) {
        const name = `${'ABCDEFGH'[index]}${own}`;
        this.devices.push(new Device(name, userId, ids.uuid(), { course, wires, draw }));
      }
    }
  }
}
