import {
  MemoryStorage,
  Scripta,
  ScriptaError,
  type Ended,
  type Fact,
  type MovedMark,
  type ReceiptState,
  type Sent,
} from '#client';
import { fill, type Draw } from './chance.js';
import { Actor, type Course } from './time.js';
import type { Wires } from './wires.js';

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

/** A device of a person, through all its runs, and the ledger of what happened to it. */
export class Device {
  readonly attempts: Attempt[] = [];
  readonly shown: Fact[] = [];
  /** What it showed before it lost its storage, and with it all that it knew. */
  readonly forgotten: Fact[] = [];
  readonly marked: Marked[] = [];
  readonly told: (MovedMark | ReceiptState)[] = [];
  readonly looked: Looked[] = [];
  readonly failures: string[] = [];
  #client: Scripta | undefined;
  #storage = new MemoryStorage();
  #actor: Actor;

  constructor(
    readonly name: string,
    readonly userId: string,
    readonly deviceId: string,
    private readonly ground: Readonly<{ course: Course; wires: Wires; draw: Draw }>,
  ) {
    this.#actor = new Actor(name);
    this.#actor.isAlive = false;
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
      transport: wires.transportOf(actor),
      fetch: wires.fetchOf(actor, this.userId),
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
    client.on('receipts.moved', ({ marks }) => this.told.push(...marks));
    client.on('receipts', (receipts) => this.told.push(...receipts));
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

  /** Loses its storage between two runs, as when an application is installed anew. */
  reinstall(): void {
    this.#storage = new MemoryStorage();
    this.forgotten.push(...this.shown.splice(0));
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
    this.shown.push(fact);
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
