import { onCrashPoint, type CrashPoint } from '#platform';
import { between, oneOf, percent } from './chance.js';
import { short, type Device } from './devices.js';
import { NETWORK } from './network.js';
import type { Group, World } from './world.js';

/** Acts of people, and the time they are spread over (ms). */
const ACTS = 60;
const ACTS_MS = 20_000;
/** Faults of one seed, from and to. */
const FAULTS = [3, 12] as const;
/** A node that died comes back so much later (ms). */
const RESTART_MS = [100, 4_000] as const;
/** How long a fault lasts that is no death (ms). */
const LASTS_MS = [50, 6_000] as const;
/** In a hundred devices that end, so many do so without warning. */
const DEATHS_PERCENT = 50;
/** In a hundred devices that were closed, so many come back without their storage. */
const REINSTALLED_PERCENT = 35;
/** In a thousand passes of a crash point, so many are deadly. */
const DEADLY_PERMILLE = 12;
/** In a thousand passes of a point of delivery, so often somebody is let in or out there. */
const MOVING_PERMILLE = 30;
/** A clock jumps by at most this much (ms). */
const JUMP_MS_MAX = 3_600_000;

/** People's acts and the faults of one seed, planned over a stretch of virtual time. */
export class Play {
  #said = 0;

  constructor(private readonly world: World) {}

  /** Acts and breaks until all is played; faults may outlast it. */
  async run(): Promise<void> {
    const { course, plays, breaks } = this.world;
    for (let act = 0; act < ACTS; act += 1)
      course.plan(plays(ACTS_MS), NETWORK, 'act', () => this.#act());
    const faults = between(breaks, ...FAULTS);
    for (let fault = 0; fault < faults; fault += 1)
      course.plan(breaks(ACTS_MS), NETWORK, 'fault', () => this.#fault());
    onCrashPoint((point) => this.#pass(point));
    await course.until(() => false, ACTS_MS + 2_000);
    onCrashPoint();
  }

  #act(): void {
    const { plays, devices } = this.world;
    const device = oneOf(
      plays,
      devices.filter(({ isRunning }) => isRunning),
    );
    const group = device && oneOf(plays, this.world.groups);
    if (!group) return;
    const kind = plays(100);
    if (kind < 62) this.#say(device, group);
    else if (kind < 74) this.#read(device, group);
    else if (kind < 82) this.#move(group);
    else if (kind < 85) device.act('leaves', (client) => client.leave(group.id));
    else if (kind < 88) device.act('renames', (client) => client.rename(group.id, `G${kind}`));
    else if (kind < 93) this.#look(device, group);
    else if (kind < 96) this.world.wires.clientCut(device.name);
    else this.#restart(device);
  }

  #say(device: Device, group: Group): void {
    const { plays } = this.world;
    for (let count = percent(plays, 25) ? between(plays, 2, 6) : 1; count > 0; count -= 1) {
      this.#said += 1;
      device.say(group.id, `${device.name} ${this.#said}`);
    }
  }

  #read(device: Device, group: Group): void {
    const seen = device.shown.filter(({ conversationId }) => conversationId === group.id);
    const fact = oneOf(this.world.plays, seen);
    if (fact) device.mark(group.id, fact.seq);
  }

  #move({ id, owner, members }: Group): void {
    const { plays, devices } = this.world;
    const person = oneOf(plays, devices)?.userId;
    if (person === undefined || person === owner.userId || !owner.isRunning) return;
    if (members.delete(person))
      owner.act(`removes ${this.#nameOf(person)} from ${short(id)}`, (client) =>
        client.removeMember(id, person),
      );
    else {
      members.add(person);
      owner.act(`adds ${this.#nameOf(person)} to ${short(id)}`, (client) =>
        client.addMembers(id, [person]),
      );
    }
  }

  #nameOf(userId: string): string {
    return this.world.devices.find((one) => one.userId === userId)?.name.slice(0, 1) ?? '';
  }

  /** Reads back what was just acknowledged. */
  #look(device: Device, { id }: Group): void {
    const own = device.attempts.findLast(
      ({ conversationId, sent }) => sent && conversationId === id,
    );
    if (!own?.sent) return;
    const { seq, position, messageId } = own.sent;
    device.act(`looks up ${short(id)}#${seq}`, async (client) => {
      const range = { after: Math.max(0, seq - 3), limit: 10, minPosition: position };
      const { items } = await client.history(id, range);
      device.looked.push({ what: 'history', conversationId: id, facts: items, own: messageId });
    });
  }

  #restart(device: Device): void {
    const { course, plays } = this.world;
    const dies = percent(plays, DEATHS_PERCENT);
    if (dies) device.die();
    else device.stop();
    course.plan(between(plays, 100, 5_000), NETWORK, 'start', () => {
      if (device.isRunning) return;
      if (!dies && percent(plays, REINSTALLED_PERCENT)) device.reinstall();
      device.start();
    });
  }

  #fault(): void {
    const { breaks } = this.world;
    const kind = breaks(100);
    if (kind < 22) this.#nodeDies('at random');
    else if (kind < 36) this.#logDies();
    else if (kind < 56) this.#partition();
    else if (kind < 66) this.#databaseAway();
    else if (kind < 76) this.#clientAway();
    else if (kind < 84) this.#slowClient();
    else if (kind < 92) this.#clockJumps();
    else this.world.log.drop(oneOf(breaks, this.world.nodes)?.name);
  }

  #nodeDies(why: string, node = oneOf(this.world.breaks, this.world.nodes)): void {
    if (!node?.isUp) return;
    const { course, breaks, realtime, wires } = this.world;
    node.crash(why);
    const socket = realtime.find((one) => one === node);
    if (socket) wires.nodeDied(socket);
    course.plan(between(breaks, ...RESTART_MS), NETWORK, 'restart', () => {
      if (!node.isUp) node.start();
    });
  }

  #logDies(): void {
    const { log, course, breaks } = this.world;
    if (!log.isUp) return;
    log.crash();
    course.plan(between(breaks, ...RESTART_MS), NETWORK, 'log starts', () => log.restart());
  }

  #partition(): void {
    const { breaks, nodes, network, log, course } = this.world;
    const node = oneOf(breaks, nodes);
    const other = percent(breaks, 65) ? 'log' : 'database';
    if (!node || network.isCut(node.name, other)) return;
    course.note(`${node.name} cannot reach the ${other}`);
    network.cut(node.name, other, true);
    if (percent(breaks, 50)) log.drop(node.name);
    course.plan(between(breaks, ...LASTS_MS), NETWORK, 'whole', () => {
      network.cut(node.name, other, false);
      log.drop(node.name);
    });
  }

  #databaseAway(): void {
    const { database, course, breaks } = this.world;
    if (!database.isUp) return;
    course.note('the database is away');
    database.isUp = false;
    course.plan(between(breaks, ...LASTS_MS), NETWORK, 'database back', () => {
      database.isUp = true;
    });
  }

  #clientAway(): void {
    const { breaks, devices, nodes, network, wires, course } = this.world;
    const device = oneOf(breaks, devices);
    if (!device) return;
    course.note(`${device.name} is without a network`);
    for (const { name } of nodes) network.cut(device.name, name, true);
    const survives = percent(breaks, 50);
    course.plan(between(breaks, ...LASTS_MS), NETWORK, 'network back', () => {
      for (const { name } of nodes) network.cut(device.name, name, false);
      if (!survives) wires.clientCut(device.name);
    });
  }

  #slowClient(): void {
    const { breaks, devices, wires, course } = this.world;
    const device = oneOf(breaks, devices);
    if (!device) return;
    course.note(`${device.name} is slow`);
    wires.slow.set(device.name, between(breaks, 200, 4_000));
    course.plan(between(breaks, ...LASTS_MS), NETWORK, 'quick', () => {
      wires.slow.delete(device.name);
    });
  }

  #clockJumps(): void {
    const { breaks, nodes, course } = this.world;
    const node = oneOf(breaks, nodes);
    if (!node) return;
    node.clock.jumpedMs = between(breaks, -JUMP_MS_MAX, JUMP_MS_MAX);
    course.note(`the clock of ${node.name} is off by ${node.clock.jumpedMs} ms`);
  }

  /** At a named place of the code: its node may die there, or somebody come or go. */
  #pass(point: CrashPoint): void {
    const { course, breaks, groups } = this.world;
    const chance = breaks(1_000);
    const node = this.world.nodes.find(({ actor }) => actor === course.actor);
    if (!node?.isUp) return;
    if (chance < DEADLY_PERMILLE) this.#nodeDies(`at ${point}`, node);
    else if (point.startsWith('realtime.') && chance < DEADLY_PERMILLE + MOVING_PERMILLE) {
      const group = oneOf(breaks, groups);
      if (group) course.plan(0, NETWORK, 'moves', () => this.#move(group));
    }
  }
}
