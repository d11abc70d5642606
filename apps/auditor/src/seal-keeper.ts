import type { KeyObject } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { HEADS_STREAM } from '#domain';
import type { Ports } from '#commands';
import {
  headIn,
  lastHead,
  provenLog,
  StaleRevision,
  stretches,
  TileWriter,
  type Batch,
  type Cancel,
  type KeptHead,
  type LogEvent,
} from '#platform';
import {
  isSignedBy,
  LeafCheck,
  leafOf,
  publicPemOf,
  signHead,
  writtenKey,
  type Problem,
} from '#proof';
import { Publishing } from './publishing.js';

/** Between two looks at the log (ms). */
const TICK_MS = 1_000;
/** Leaves taken in one tick: about half a second of work, so that a long past is caught up with. */
const LEAVES_PER_TICK = 10_000;
/** Leaves looked at again in one tick: about 1 % of a core. */
const SCRUB_LEAVES = 200;
/** Between two passes over the whole log (ms). */
const SCRUB_PAUSE_MS = 3_600_000;

/** How the log stands with its heads. */
export type HeadsReport = Readonly<{
  /** `sealed`: every head is right; `broken`: one is not, and none is signed any more. */
  status: 'sealed' | 'broken';
  leaves: number;
  head: KeptHead | undefined;
  /** Heads that are not at the file or URL yet. */
  unpublished: number;
  /** Whole passes over the log with all its heads, and how far this one is. */
  passes: number;
  lookedAt: number;
  problems: readonly Problem[];
}>;

/**
 * Keeps the tree over the log, signs its head at intervals, and looks again and again whether the
 * log still is what was signed. Once it is not, it signs nothing more and repairs nothing: it tells.
 */
@Injectable()
export class SealKeeper {
  readonly #logger = new Logger('heads');
  readonly #publishing: Publishing;
  readonly #tiles: TileWriter;
  #position: number | undefined;
  #head: KeptHead | undefined;
  /** Leaves since the last head that are no heads themselves. */
  #fresh = 0;
  #signedAtMs = -Infinity;
  #problems: readonly Problem[] = [];
  #check: LeafCheck;
  #pass: AsyncGenerator<Batch> | undefined;
  #passes = 0;
  #passedAtMs = -Infinity;
  #isBegun = false;
  #ticking: Promise<void> | undefined;
  #stop: Cancel = () => undefined;

  constructor(
    private readonly ports: Ports,
    private readonly key: KeyObject,
  ) {
    this.#publishing = new Publishing(ports.config);
    this.#tiles = new TileWriter(ports.operations);
    this.#check = new LeafCheck({ key, streams: false });
  }

  /** The public key as PEM. */
  get publicKey(): string {
    return publicPemOf(this.key);
  }

  start(): void {
    this.#stop = this.ports.timer.every(TICK_MS, () => this.#tick());
  }

  async stop(): Promise<void> {
    this.#stop();
    await this.#ticking;
  }

  report(): HeadsReport {
    return {
      status: this.#problems.length === 0 ? 'sealed' : 'broken',
      leaves: this.#tiles.tree.size,
      head: this.#head,
      unpublished: this.#publishing.waiting,
      passes: this.#passes,
      lookedAt: this.#check.size,
      problems: this.#problems,
    };
  }

  #tick(): void {
    this.#ticking ??= this.#keep()
      .catch((error: unknown) => this.#logger.warn(`Not this time: ${String(error)}`))
      .finally(() => {
        this.#ticking = undefined;
      });
  }

  async #keep(): Promise<void> {
    if (this.#problems.length > 0) return;
    if (!this.#isBegun) await this.#begin();
    const isAtEnd = await this.#follow();
    if (isAtEnd) await this.#sign();
    await this.#scrub();
    await this.#publishing.flush();
  }

  async #begin(): Promise<void> {
    const { store } = this.ports;
    this.#head = await lastHead(store);
    await this.#publishing.begin(this.#head);
    const end = await this.#tiles.resume();
    const there = end && (await store.at(end.position));
    if (end && !(there && leafOf(there).equals(end.leaf)))
      this.#break({
        what: `The log has another event at ${end.position} than the one that was hashed there.`,
        index: end.size - 1,
      });
    this.#position = end?.position;
    this.#fresh = Math.max(0, this.#tiles.tree.size - (this.#head?.size ?? 0));
    this.#isBegun = true;
  }

  /** Takes the leaves that came; whether those were all. */
  async #follow(): Promise<boolean> {
    let taken = 0;
    for await (const { events, position } of stretches(this.ports.store, this.#position)) {
      for (const event of events) await this.#take(event);
      this.#position = position;
      taken += events.length;
      if (taken >= LEAVES_PER_TICK) return false;
    }
    return true;
  }

  async #take(event: LogEvent): Promise<void> {
    await this.#tiles.add(leafOf(event), event.position);
    const head = headIn(event);
    if (head && head.revision > (this.#head?.revision ?? -1)) this.#head = head;
    if (!head) this.#fresh += 1;
    if (this.#head?.size !== this.#tiles.tree.size) return;
    this.#fresh = 0;
    if (this.#tiles.tree.root().toString('hex') !== this.#head.root)
      this.#break({
        what: `The log is not the one whose head over ${this.#head.size} leaves was signed.`,
        index: 0,
        to: this.#head.size - 1,
      });
  }

  async #sign(): Promise<void> {
    const { clock, codec, config, random, store } = this.ports;
    const { tree } = this.#tiles;
    const isDue = clock.monotonic() - this.#signedAtMs >= config.HEADS_EVERY_S * 1_000;
    if (this.#fresh === 0 || !isDue || this.#problems.length > 0) return;
    const root = tree.root().toString('hex');
    const position = this.#position ?? -1;
    const head = signHead({ size: tree.size, root, position, at: clock.iso() }, this.key);
    const data = { ...head, publicKey: writtenKey(this.key) };
    const id = random.uuid();
    const event = await codec.encode(
      { type: 'TreeHeadSigned', data },
      { id, correlationId: id, causationId: id },
    );
    try {
      const { revision } = await store.append(HEADS_STREAM, this.#head?.revision ?? -1, [event]);
      this.#head = { ...data, revision };
      this.#publishing.add(this.#head);
      this.#signedAtMs = clock.monotonic();
      this.#fresh = 0;
    } catch (error) {
      // Another auditor signed meanwhile; its head is read with the leaves.
      if (!(error instanceof StaleRevision)) throw error;
    }
  }

  /** Looks at a little more of the log, from its beginning, with the heads that were signed. */
  async #scrub(): Promise<void> {
    const now = this.ports.clock.monotonic();
    if (!this.#pass) {
      if (now - this.#passedAtMs < SCRUB_PAUSE_MS) return;
      this.#pass = provenLog(this.ports.store, SCRUB_LEAVES);
      this.#check = new LeafCheck({ key: this.key, streams: false });
    }
    const next = await this.#pass.next();
    if (next.done === true) {
      this.#check.end();
      this.#pass = undefined;
      this.#passes += 1;
      this.#passedAtMs = now;
    } else {
      const { events, head } = next.value;
      for (const event of events) this.#check.event(event, leafOf(event));
      // Heads of a key before this one are compared by whoever holds that key.
      if (head && isSignedBy(head, this.key)) this.#check.head(head);
    }
    for (const problem of this.#check.problems) this.#break(problem);
  }

  #break(problem: Problem): void {
    this.#problems = [...this.#problems, problem];
    this.#logger.error(`ALARM ${JSON.stringify(problem)}: no head is signed any more.`);
  }
}
