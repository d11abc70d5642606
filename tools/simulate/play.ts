import { onCrashPoint, type CrashPoint } from '#platform';
import { between, oneOf, percent } from './chance.js';
import { short, type Device } from './devices.js';
import { NETWORK } from './network.js';
import type { Group, World } from './world.js';

/** Acts of people, and the time they are spread over (ms). */
const ACTS_COUNT = 60;
const ACTS_MS = 20_000;
/** Faults of one seed, from and to. */
const FAULTS_COUNT = [3, 12] as const;
/** A node that died comes back so much later (ms). */
const RESTART_MS = [100, 4_000] as const;
/** How long a fault lasts that is no death (ms). */
const LASTS_MS = [50, 6_000] as const;
/** In a hundred devices that end, so many do so without warning. */
const DEATHS_PERCENT = 50;
/** In a hundred devices that were closed, so many come back without their storage. */
const REINSTALLED_PERCENT = 35;
/** In a hundred seeds, so many have a flood: more messages than 256, the window of a connection. */
const FLOOD_PERCENT = 5;
const FLOOD_MESSAGES = 280;
const FLOOD_MS = 12_000;
/** In a thousand passes of a crash point, so many are deadly. */
const DEADLY_PERMILLE = 12;
/** In a thousand passes of a point of delivery, so often somebody is let in or out there. */
const MOVING_PERMILLE = 30;
/** A clock jumps by at most this much (ms). */
const JUMP_MS_MAX = 3_600_000;

type Act = (play: Play, device: Device, group: Group) => void;

/** What people do: of a hundred acts, those up to a number. */
const ACTS: readonly (readonly [upTo: number, act: Act])[] = [
  [62, (play, device, group) => play.say(device, group)],
  [74, (play, device, group) => play.read(device, group)],
  [82, (play, _, group) => play.move(group)],
  [85, (_, device, { id }) => device.act('leaves', (client) => client.leave(id))],
  [88, (_, device, { id }) => device.act('renames', (client) => client.rename(id, 'Renamed'))],
  [91, (play, device, group) => play.look(device, group)],
  [93, (play, device) => play.choose(device)],
  [96, (play, device) => play.lose(device)],
  [100, (play, device) => play.restart(device)],
];

/** What goes wrong: of a hundred faults, those up to a number. */
const FAULTS: readonly (readonly [upTo: number, fault: (play: Play) => void])[] = [
  [22, (play) => play.nodeDies('at random')],
  [36, (play) => play.logDies()],
  [54, (play) => play.partition()],
  [64, (play) => play.databaseAway()],
  [74, (play) => play.clientAway()],
  [82, (play) => play.slowClient()],
  [88, (play) => play.clockJumps()],
  [92, (play) => play.rebuild()],
  [100, (play) => play.subscription()],
];

/** People's acts and the faults of one seed, planned over a stretch of virtual time. */
export class Play {
  #said = 0;

  constructor(private readonly world: World) {}

  /** Acts and breaks until all is played; faults may outlast it. */
  async run(): Promise<void> {
    const { course, plays, breaks } = this.world;
    for (let act = 0; act < ACTS_COUNT; act += 1)
      course.plan(plays(ACTS_MS), NETWORK, 'act', () => this.#act());
    if (percent(plays, FLOOD_PERCENT))
      course.plan(plays(ACTS_MS / 2), NETWORK, 'flood', () => this.#flood());
    const faults = between(breaks, ...FAULTS_COUNT);
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
    const [, act] = ACTS.find(([upTo]) => kind < upTo) ?? [];
    act?.(this, device, group);
  }

  say(device: Device, group: Group): void {
    const { plays } = this.world;
    for (let count = percent(plays, 25) ? between(plays, 2, 6) : 1; count > 0; count -= 1) {
      this.#said += 1;
      device.say(group.id, `${device.name} ${this.#said}`);
    }
  }

  read(device: Device, group: Group): void {
    const seen = device.shown.filter(({ conversationId }) => conversationId === group.id);
    const fact = oneOf(this.world.plays, seen);
    if (fact) device.mark(group.id, fact.seq);
  }

  move({ id, owner, members }: Group): void {
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
  look(device: Device, { id }: Group): void {
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

  /** A connection breaks. */
  lose(device: Device): void {
    this.world.wires.clientCut(device.name);
  }

  choose(device: Device): void {
    const name = `name_${'abcd'[this.world.plays(4)]}`;
    device.act(`wants to be ${name}`, (client) => client.chooseUsername(name));
  }

  /** Much is said while somebody hears nothing: more than a connection may leave unread. */
  #flood(): void {
    const { plays, breaks, devices, groups } = this.world;
    const group = oneOf(plays, groups);
    const away = oneOf(breaks, devices);
    const others = devices.filter((one) => one !== away && one.isRunning);
    if (!group || !away || others.length === 0) return;
    this.#isWithoutNetwork(away, FLOOD_MS);
    for (let count = 0; count < FLOOD_MESSAGES; count += 1) {
      const device = others[count % others.length];
      this.#said += 1;
      device?.say(group.id, `${device.name} ${this.#said}`);
    }
  }

  restart(device: Device): void {
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
    const [, fault] = FAULTS.find(([upTo]) => kind < upTo) ?? [];
    fault?.(this);
  }

  /** A subscription is dropped, dies without a word, or repeats itself. */
  subscription(): void {
    const { breaks, log, nodes, course } = this.world;
    const node = oneOf(breaks, nodes);
    if (!node) return;
    const how = breaks(3);
    course.note(`the subscriptions of ${node.name} ${['end', 'fall silent', 'repeat'][how]}`);
    if (how === 0) log.drop(node.name);
    else if (how === 1) log.mute(node.name);
    else log.echo(node.name, 1 + breaks(20));
  }

  /** The read models are built anew while all go on; that may die half way. */
  rebuild(): void {
    const { breaks, rebuild, course } = this.world;
    if (rebuild.isUp) return;
    rebuild.start();
    if (percent(breaks, 50))
      course.plan(breaks(600), NETWORK, 'rebuild dies', () => rebuild.crash('at random'));
  }

  nodeDies(why: string, node = oneOf(this.world.breaks, this.world.nodes)): void {
    if (!node?.isUp) return;
    const { course, breaks, realtime, wires } = this.world;
    node.crash(why);
    const socket = realtime.find((one) => one === node);
    if (socket) wires.nodeDied(socket);
    course.plan(between(breaks, ...RESTART_MS), NETWORK, 'restart', () => {
      if (!node.isUp) node.start();
    });
  }

  logDies(): void {
    const { log, course, breaks } = this.world;
    if (!log.isUp) return;
    log.crash();
    course.plan(between(breaks, ...RESTART_MS), NETWORK, 'log starts', () => log.restart());
  }

  partition(): void {
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

  databaseAway(): void {
    const { database, course, breaks } = this.world;
    if (!database.isUp) return;
    course.note('the database is away');
    database.isUp = false;
    course.plan(between(breaks, ...LASTS_MS), NETWORK, 'database back', () => {
      database.isUp = true;
    });
  }

  clientAway(): void {
    const { breaks, devices } = this.world;
    const device = oneOf(breaks, devices);
    if (device) this.#isWithoutNetwork(device, between(breaks, ...LASTS_MS));
  }

  #isWithoutNetwork(device: Device, lastsMs: number): void {
    const { breaks, nodes, network, wires, course } = this.world;
    course.note(`${device.name} is without a network`);
    for (const { name } of nodes) network.cut(device.name, name, true);
    const survives = percent(breaks, 50);
    course.plan(lastsMs, NETWORK, 'network back', () => {
      for (const { name } of nodes) network.cut(device.name, name, false);
      if (!survives) wires.clientCut(device.name);
    });
  }

  slowClient(): void {
    const { breaks, devices, wires, course } = this.world;
    const device = oneOf(breaks, devices);
    if (!device) return;
    course.note(`${device.name} is slow`);
    wires.slow.set(device.name, between(breaks, 200, 4_000));
    course.plan(between(breaks, ...LASTS_MS), NETWORK, 'quick', () => {
      wires.slow.delete(device.name);
    });
  }

  clockJumps(): void {
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
    if (chance < DEADLY_PERMILLE) this.nodeDies(`at ${point}`, node);
    else if (point.startsWith('realtime.') && chance < DEADLY_PERMILLE + MOVING_PERMILLE) {
      const group = oneOf(breaks, groups);
      if (group) course.plan(0, NETWORK, 'moves', () => this.move(group));
    }
  }
}
