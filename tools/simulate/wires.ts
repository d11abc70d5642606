import type { Fetch, Transport, WireListener } from '#client';
import { Rejection } from '#domain';
import { LogUnavailable, REJECTION_STATUS, ViewsUnavailable } from '#platform';
import type { Connection } from '../../apps/realtime/src/connections.js';
import { between, oneOf, percent, type Draw } from './chance.js';
import type { Network } from './network.js';
import type { ApiNode, RealtimeNode } from './nodes.js';
import type { Actor } from './time.js';

/** A broken connection is found out so much later (ms). */
const NOTICED_MS = [1, 400] as const;
/** A page towards live may be this small, so that a short history takes several. */
const PAGE_FACTS = [2, 9] as const;
/** In a hundred broken connections, of so many what was on its way to the server still arrives. */
const ARRIVES_PERCENT = 50;

/** Something that was sent to a client, whether it arrives or not. */
export type Packet = Readonly<{ wire: string; name: string; argument: unknown }>;

type Hear = (packet: Packet) => void;
/** What a wire tells the client, and the ledger of all that was sent to it. */
type Ears = WireListener & Readonly<{ hear: Hear }>;
type Answer = (answer: never) => void;
type Passing = Readonly<{ arrivesMs: number; to: Actor; what: string; deliver: () => void }>;

const copied = <T>(value: T): T => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(JSON.stringify(value)) as T;
};

/** One connection of a client to a node: ordered both ways, until it breaks. */
class SimulatedWire {
  isOpen = false;
  #isBroken = false;
  #isLetGo = false;
  #connection: Connection | undefined;
  /** What is on its way: nothing overtakes on one wire. */
  readonly #under: Readonly<Record<'up' | 'down', Passing[]>> = { up: [], down: [] };

  /** The run of the node it leads to. */
  readonly server: Actor;
  readonly #id: string;

  constructor(
    private readonly wires: Wires,
    readonly client: Actor,
    readonly node: RealtimeNode,
    private readonly ears: Ears,
  ) {
    this.server = node.actor;
    this.#id = wires.newId();
  }

  open(auth: object): void {
    const { course } = this.wires.network;
    course.plan(this.wires.network.latency(), this.server, 'handshake', () => {
      const isReachable = !this.wires.network.isCut(this.client.name, this.node.name);
      if (!isReachable || !this.node.isReady || this.#isBroken) return this.#unreachable();
      this.node.doorman?.admit(copied(auth)).then(
        (admitted) => this.#admitted(admitted),
        (error: unknown) => this.#refused(error),
      );
    });
    // A node that is dead by then answers nothing.
    course.plan(between(this.wires.draw, 500, 3_000), this.client, 'connecting', () => {
      if (!this.isOpen) this.#unreachable();
    });
  }

  emit(name: string, payload: object, answered?: Answer): void {
    const sent = this.wires.sent(this.client.name, name, copied(payload));
    const ack =
      answered &&
      ((answer: object) => {
        if (name === 'resume') this.#sent(name, answer);
        this.#say(() => {
          this.wires.answered(this.client.name, sent, answer);
          // An answer is what the protocol says it is.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          answered(copied(answer) as never);
        });
      });
    this.#pass('up', this.server, name, () => {
      if (!this.#connection) return;
      const event = ack ? [name, sent, ack] : [name, sent];
      void this.node.inbox?.take(this.#connection, event);
    });
  }

  /** Both ends find out, each in its time; what was on its way may be lost or not. */
  break(reason: string): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.wires.open.delete(this);
    const { network, draw } = this.wires;
    network.course.plan(between(draw, ...NOTICED_MS), this.client, 'broken', () => {
      if (this.#isLetGo) return;
      const wasOpen = this.isOpen;
      this.isOpen = false;
      if (wasOpen) this.ears.closed(reason);
      else this.#unreachable();
    });
    this.#hangUp(between(draw, ...NOTICED_MS));
  }

  /** The client has let go of it. */
  close(): void {
    this.#isLetGo = true;
    this.isOpen = false;
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.wires.open.delete(this);
    this.#hangUp(this.wires.network.latency());
  }

  #hangUp(afterMs: number): void {
    this.wires.network.course.plan(afterMs, this.server, 'hang up', () => {
      if (this.#connection) this.node.connections?.closed(this.#connection);
      this.#connection = undefined;
    });
  }

  #admitted(admitted: Awaited<ReturnType<NonNullable<RealtimeNode['doorman']>['admit']>>): void {
    if (this.#isBroken) return;
    const { connections } = this.node;
    const send = (packet: string) => this.#event(packet);
    this.#connection = connections?.open(
      {
        id: this.#id,
        conn: { write: (packet) => send(packet) },
        emit: (name, argument) => send(`2${JSON.stringify([name, argument])}`),
        disconnect: () => this.#say(() => this.break('io server disconnect')),
      },
      admitted.claims,
    );
    this.#down(() => {
      this.isOpen = true;
    });
    this.#connection?.welcome(admitted.capabilities);
  }

  #event(packet: string): void {
    // A packet is `2` and the name and argument as JSON.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const [name, argument] = JSON.parse(packet.slice(1)) as [string, unknown];
    this.#sent(name, argument);
    this.#say(() => this.ears.event(name, argument));
  }

  #sent(name: string, argument: unknown): void {
    if (this.server.isAlive && !this.#isBroken) this.ears.hear({ wire: this.#id, name, argument });
  }

  #refused(error: unknown): void {
    const { code } = error instanceof Rejection ? error : { code: 'unavailable' as const };
    const { retryable } = REJECTION_STATUS[code];
    this.#down(() => {
      if (!this.#isLetGo)
        this.ears.refused(Object.assign(new Error(code), { data: { code, retryable } }));
    });
  }

  #unreachable(): void {
    const { network } = this.wires;
    network.course.plan(network.latency(), this.client, 'unreachable', () => {
      if (this.#isLetGo || this.isOpen) return;
      this.#isLetGo = true;
      this.ears.refused(new Error('The server cannot be reached.'));
    });
  }

  /** What the node sends; the dead send nothing. */
  #say(deliver: () => void): void {
    if (this.server.isAlive) this.#down(deliver);
  }

  #down(deliver: () => void): void {
    this.#pass('down', this.client, 'heard', () => {
      if (!this.#isLetGo) deliver();
    });
  }

  #pass(way: 'up' | 'down', to: Actor, what: string, deliver: () => void): void {
    const { network } = this.wires;
    const slow = way === 'down' ? this.wires.slowness(this.client.name) : 0;
    const under = this.#under[way];
    const arrivesMs = network.course.nowMs + network.latency() + slow;
    under.push({ arrivesMs, to, what, deliver });
    if (under.length === 1) this.#carry(way);
  }

  #carry(way: 'up' | 'down', againMs = 0): void {
    const { network, draw } = this.wires;
    const [first] = this.#under[way];
    if (!first) return;
    const { arrivesMs, to, what, deliver } = first;
    network.course.plan(Math.max(againMs, arrivesMs - network.course.nowMs), to, what, () => {
      // Sent again and again until the network is whole, or the connection is given up.
      if (network.isCut(this.client.name, this.node.name) && !this.#isBroken)
        return this.#carry(way, between(draw, 50, 300));
      const isLost = this.#isBroken && (way === 'down' || !percent(draw, ARRIVES_PERCENT));
      // Where something is lost, so is all that comes after it.
      if (isLost) this.#under[way].length = 0;
      else {
        this.#under[way].shift();
        deliver();
      }
      this.#carry(way);
    });
  }
}

/** All connections between clients and nodes. */
export class Wires {
  readonly open = new Set<SimulatedWire>();
  /** Delay of what a slow client hears (ms), by client. */
  readonly slow = new Map<string, number>();
  /** Where each device began to be told of everything, by client. */
  readonly since = new Map<string, number>();
  #ids = 0;

  constructor(
    readonly network: Network,
    readonly draw: Draw,
    private readonly nodes: readonly RealtimeNode[],
    private readonly api: ApiNode,
  ) {}

  newId(): string {
    this.#ids += 1;
    return `wire-${this.#ids}`;
  }

  slowness(client: string): number {
    return this.slow.get(client) ?? 0;
  }

  /** What a client sends, as it goes over the wire: it asks for small pages. */
  sent(client: string, name: string, payload: object): object {
    if (name !== 'resume') return payload;
    this.network.course.note(`${client} resumes from ${String(Reflect.get(payload, 'cursor'))}`);
    return { ...payload, limit: between(this.draw, ...PAGE_FACTS) };
  }

  /** A device that knew no place is told where it begins. */
  answered(client: string, sent: object, answer: object): void {
    if (Reflect.get(sent, 'cursor') !== null || Reflect.get(answer, 'ok') !== true) return;
    this.since.set(client, Number(Reflect.get(answer, 'position')));
  }

  /** Breaks the connections of a node that died. */
  nodeDied(node: RealtimeNode): void {
    for (const wire of this.open) if (wire.node === node) wire.break('transport close');
  }

  clientCut(client: string): void {
    for (const wire of this.open) if (wire.client.name === client) wire.break('transport error');
  }

  /** How a client connects: to any node, as behind a balancer. */
  transportOf(client: Actor, hear: Hear): Transport {
    return ({ auth }, listener) => {
      const living = this.nodes.filter(({ isUp }) => isUp);
      const node = oneOf(this.draw, living.length > 0 ? living : this.nodes);
      if (!node) throw new Error('There is no node to connect to.');
      const wire = new SimulatedWire(this, client, node, { ...listener, hear });
      this.open.add(wire);
      wire.open(auth);
      return {
        isOpen: () => wire.isOpen,
        emit: (name, payload, answered) => wire.emit(name, payload, answered),
        cut: () => wire.break('transport close'),
        close: () => wire.close(),
      };
    };
  }

  /** How a client reads: the questions of the REST door, answered by the door's own classes. */
  fetchOf(client: Actor, userId: string, hear: Hear): Fetch {
    const { course } = this.network;
    return (url) =>
      new Promise((resolve, reject) => {
        const { actor, name } = this.api;
        const isGone = () => !actor.isAlive || this.network.isCut(client.name, name);
        const fail = () =>
          course.plan(between(this.draw, 50, 1_000), client, 'no answer', () =>
            reject(new TypeError('fetch failed')),
          );
        const back = (status: number, body: object) => {
          course.plan(this.network.latency(), client, 'answer', () => {
            if (isGone()) fail();
            else resolve(responseOf(status, body));
          });
        };
        if (isGone()) return fail();
        course.plan(this.network.latency(), actor, 'request', () => {
          this.#answer(userId, new URL(url), hear).then(
            (body) => back(200, body),
            (error: unknown) => back(...problemOf(error)),
          );
        });
        // A node that dies meanwhile answers nothing.
        const look = () => {
          if (actor.isAlive) course.plan(1_000, client, 'waits', look);
          else fail();
        };
        course.plan(1_000, client, 'waits', look);
      });
  }

  async #answer(userId: string, { pathname, searchParams }: URL, hear: Hear): Promise<object> {
    const { reading } = this.api;
    const [, , , conversationId = '', part] = pathname.split('/');
    if (!reading) throw new LogUnavailable('Not ready.');
    const number = (name: string) => {
      const given = searchParams.get(name);
      return given === null ? undefined : Number(given);
    };
    const minPosition = searchParams.get('minPosition') ?? undefined;
    const limit = number('limit') ?? 50;
    if (part === 'messages') {
      await reading.fresh.reach(['members', 'history'], minPosition);
      const span = { before: number('before'), after: number('after'), limit };
      const page = await reading.transcript.page(userId, conversationId, span);
      hear({ wire: '', name: 'history', argument: page });
      return page;
    }
    await reading.fresh.reach(['members', 'conversations', 'receipts'], minPosition);
    if (part === 'members') return reading.transcript.members(userId, conversationId, limit);
    return conversationId === ''
      ? reading.lists.list(userId, limit)
      : reading.lists.one(userId, conversationId);
  }
}

const responseOf = (status: number, body: object): Awaited<ReturnType<Fetch>> => {
  const text = JSON.stringify(body);
  return {
    ok: status < 300,
    status,
    headers: new Headers(),
    text: () => Promise.resolve(text),
  };
};

const problemOf = (error: unknown): [number, object] => {
  if (error instanceof Rejection)
    return [REJECTION_STATUS[error.code].http, { code: error.code, detail: error.message }];
  const isOutage = error instanceof LogUnavailable || error instanceof ViewsUnavailable;
  if (!isOutage) throw error;
  return [503, { code: 'unavailable', detail: String(error) }];
};
