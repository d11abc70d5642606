import {
  Scripta,
  ScriptaError,
  type Ended,
  type Fact,
  type ReceiptsMoved,
  type ResumePage,
  type Sent,
} from '#client';
import { fill, type Draw } from './chance.js';
import { LossyStorage } from './storage.js';
import { Actor, type Course } from './time.js';
import type { Packet, Wires } from './wires.js';

/** Something a device has tried to say. */
export type Attempt = {
  readonly conversationId: string;
  readonly text: string;
  /** What it was answered; nothing while that is open. */
  sent?: Sent;
  refused?: string;
};

/** A mark that was acknowledged to who set it. */
export type Marked = Readonly<{ conversationId: string; seq: number }>;

/** A page of history that a device was given. */
export type Looked = Readonly<{
  what: string;
  conversationId: string;
  facts: readonly Fact[];
  /** The message that has to be on it. */
  own?: string;
}>;

/** Something of a conversation that was sent to a device, whether it was shown or not. */
export type Told = Readonly<{
  what: string;
  conversationId: string;
  position: number;
  /** For a mark that moved: on which wire, whose, of which kind; and how far. */
  mark?: Readonly<{ of: string; seq: number }>;
}>;

/** A device of a person, through all its runs, and the ledger of what happened to it. */
export class Device {
  readonly attempts: Attempt[] = [];
  /** What was shown from the start, or from a death, to the next death. */
  spells: Fact[][] = [[]];
  /** What it showed before it lost its storage, and with it all that it knew. */
  readonly forgotten: Fact[] = [];
  readonly marked: Marked[] = [];
  readonly told: Told[] = [];
  readonly looked: Looked[] = [];
  readonly failures: string[] = [];
  #client: Scripta | undefined;
  #storage: LossyStorage;
  #actor: Actor;

  constructor(
    readonly name: string,
    readonly userId: string,
    readonly deviceId: string,
    private readonly ground: Readonly<{ course: Course; wires: Wires; draw: Draw }>,
  ) {
    this.#actor = new Actor(name);
    this.#actor.isAlive = false;
    this.#storage = new LossyStorage(ground.course);
  }

  /** Everything that it has shown since it last began with nothing. */
  get shown(): readonly Fact[] {
    return this.spells.flat();
  }

  /** Place in the log from which on it was first told of everything. */
  get since(): number {
    return this.ground.wires.since.get(this.name) ?? -1;
  }

  get isRunning(): boolean {
    return this.#actor.isAlive;
  }

  get client(): Scripta {
    if (!this.#client) throw new Error(`${this.name} does not run.`);
    return this.#client;
  }

  /** Whether it is live and nothing of it is on its way. */
  get isAtRest(): boolean {
    return this.#client?.state === 'live' && this.#client.pending === 0;
  }

  /** Begins a run, with what the run before has stored. */
  start(): void {
    const { course, wires, draw } = this.ground;
    const actor = new Actor(this.name);
    this.#actor = actor;
    const client = new Scripta({
      url: 'http://simulated',
      token: `${this.userId}|${this.deviceId}`,
      userId: this.userId,
      deviceId: this.deviceId,
      storage: this.#storage,
      transport: wires.transportOf(actor, (packet) => this.told.push(...toldBy(packet))),
      fetch: wires.fetchOf(actor, this.userId, (packet) => this.told.push(...toldBy(packet))),
      runtime: {
        now: () => Date.parse('2026-11-23T12:00:00.000Z') + Math.floor(course.nowMs),
        after: (ms, call) => {
          let isOff = false;
          course.plan(ms, actor, 'timer', () => {
            if (!isOff) call();
          });
          return () => {
            isOff = true;
          };
        },
        random: (bytes) => fill(draw, bytes),
      },
    });
    this.#client = client;
    client.on('fact', (fact) => this.#show(fact));
    client.on('ended', (ended) => this.#ended(ended));
    client.on('refused', (error) => this.failures.push(`refused: ${error.code}`));
    course.plan(0, actor, 'connect', () => {
      client.connect().catch((error: unknown) => this.#fail('connect', error));
    });
  }

  /** Ends a run in order; the next one goes on from where it stood. */
  stop(): void {
    const { course } = this.ground;
    const [actor, client] = [this.#actor, this.client];
    course.note(`${this.name} is closed`);
    void client.close().finally(() => {
      actor.isAlive = false;
    });
  }

  /** Dies at once, and what it stored last may be lost. */
  die(): void {
    const { course, wires, draw } = this.ground;
    this.#actor.isAlive = false;
    wires.clientCut(this.name);
    const lost = this.#storage.lose(draw);
    this.spells.push([]);
    course.note(`${this.name} dies and loses its latest ${lost} writes`);
  }

  /** What it has stored so far is safe. */
  settle(): void {
    this.#storage.settle();
  }

  /** Loses its storage between two runs, as when an application is installed anew. */
  reinstall(): void {
    this.#storage = new LossyStorage(this.ground.course);
    this.forgotten.push(...this.shown);
    this.spells = [[]];
    this.ground.course.note(`${this.name} is installed anew`);
  }

  /** Says something; the ledger has it from here on. */
  say(conversationId: string, text: string): void {
    const attempt: Attempt = { conversationId, text };
    this.attempts.push(attempt);
    this.ground.course.note(`${this.name} says "${text}" in ${short(conversationId)}`);
    const { course } = this.ground;
    const answered = (sent: Sent) => {
      attempt.sent = sent;
      course.note(`${this.name} is answered "${text}" is ${short(conversationId)}#${sent.seq}`);
      return sent;
    };
    const refused = (error: unknown) => {
      if (error instanceof ScriptaError && error.code !== 'closed') attempt.refused = error.code;
      course.note(`${this.name} is refused "${text}": ${codeOf(error)}`);
    };
    this.client.send(conversationId, text).then(answered).catch(refused);
  }

  /** Carries out something that may be refused. */
  act(what: string, doing: (client: Scripta) => Promise<unknown>): void {
    const { course } = this.ground;
    course.note(`${this.name} ${what}`);
    doing(this.client).then(
      () => course.note(`${this.name} has done: ${what}`),
      (error: unknown) => course.note(`${this.name} is refused: ${what}: ${codeOf(error)}`),
    );
  }

  mark(conversationId: string, seq: number): void {
    this.act(`reads ${short(conversationId)} up to ${seq}`, async (client) => {
      const { data } = await client.markRead(conversationId, seq);
      this.marked.push({ conversationId, seq: Number(data['seq']) });
    });
  }

  /** A command of this run or of one before it has ended. */
  #ended(ended: Ended): void {
    const attempt = this.attempts.find(({ text }) => text === ended.entry.data['text']);
    if (!attempt || !('accepted' in ended)) return;
    const { data, position, duplicate } = ended.accepted;
    // The data of an accepted message is as the protocol says.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    attempt.sent = { ...data, position, duplicate } as Sent;
  }

  #show(fact: Fact): void {
    this.spells.at(-1)?.push(fact);
    this.ground.course.note(
      `${this.name} shows ${fact.type} ${short(fact.conversationId)}#${fact.seq}`,
    );
  }

  #fail(what: string, error: unknown): void {
    if (codeOf(error) !== 'closed') this.failures.push(`${what}: ${String(error)}`);
  }
}

/** The first digits of an id: enough to tell a handful apart. */
export const short = (id: string): string => id.slice(0, 4);

const codeOf = (error: unknown): string =>
  error instanceof ScriptaError ? error.code : String(error);

const factsTold = (what: string, given: readonly Fact[]): readonly Told[] =>
  given.map(({ conversationId, position }) => ({
    what,
    conversationId,
    position: Number(position),
  }));

/** What a packet tells of conversations: facts, marks that moved, marks as they stand. */
const toldBy = ({ wire, name, argument }: Packet): readonly Told[] => {
  // What nodes send is as the protocol says.
  // oxlint-disable typescript/no-unsafe-type-assertion
  switch (name) {
    case 'history':
      return factsTold(
        'a fact of the history',
        (argument as Readonly<{ items: readonly Fact[] }>).items,
      );
    case 'resume': {
      const page = (argument as Readonly<{ data?: ResumePage }>).data;
      if (!page) return [];
      const marks = page.receipts.map(({ conversationId, position }) => ({
        what: 'a mark of a page',
        conversationId,
        position: Number(position),
      }));
      return [...factsTold('a fact of a page', page.facts), ...marks];
    }
    case 'receipts.moved': {
      const { marks, position } = argument as ReceiptsMoved;
      return marks.map(({ conversationId, userId, kind, seq }) => ({
        what: 'a mark',
        conversationId,
        position: Number(position),
        mark: { of: `${wire} ${conversationId} ${userId} ${kind}`, seq },
      }));
    }
    default:
      return 'conversationId' in (argument as object)
        ? factsTold('a fact', [argument as Fact])
        : [];
  }
  // oxlint-enable typescript/no-unsafe-type-assertion
};
