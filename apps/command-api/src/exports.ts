import { createReadStream } from 'node:fs';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { reject } from '#domain';
import { crashPoint, limitOf, untilCaughtUp, waitMsOf } from '#platform';
import { headOf, linesOf, pagesIn, streamsFor, TAIL } from './export-content.js';
import { ExportFile, exportPath, hasPart, removeExport } from './export-file.js';

/** Where `operations` holds exports; losing them has people ask again. */
const COLLECTION = 'exports';
const INDEXES = [{ key: { userId: 1 } }, { key: { state: 1 } }] as const;
/** Days for which a finished export can be fetched. */
export const EXPORT_DAYS = 7;
const KEPT_MS = EXPORT_DAYS * 86_400_000;
/** A process that has not said for so long (ms) that it works on an export has died. */
const LEASE_MS = 30_000;
/** How often exports are looked for that nobody works on, and that are over (ms). */
const LOOK_MS = 15_000;

/** How an export stands. */
export type ExportState = 'waiting' | 'running' | 'done';

type Job = Readonly<{
  userId: string;
  state: ExportState;
  createdAt: string;
  expiresAtMs: number;
  /** Streams looked through, of how many; what is written of the file so far. */
  done: number;
  total: number;
  bytes: number;
  events: number;
  /** The last stream that is written whole. */
  after: string;
  sha256?: string;
  /** Nobody else takes it up before then. */
  leasedToMs: number;
}>;
type Kept = Job & Readonly<{ _id: string }>;

/** An export as its person sees it. */
export type Shown = Readonly<{
  exportId: string;
  state: ExportState;
  createdAt: string;
  expiresAt: string;
  progress: Readonly<{ done: number; total: number; events: number }>;
  bytes: number;
  sha256?: string;
}>;

const shown = ({ _id, ...job }: Kept): Shown => ({
  exportId: _id,
  state: job.state,
  createdAt: job.createdAt,
  expiresAt: new Date(job.expiresAtMs).toISOString(),
  progress: { done: job.done, total: job.total, events: job.events },
  bytes: job.bytes,
  ...(job.sha256 === undefined ? {} : { sha256: job.sha256 }),
});

/**
 * Exports of everything that is held of a person, made in the background. Each step is written down,
 * so that another process takes up what one that died has begun.
 */
@Injectable()
export class Exports {
  readonly #logger = new Logger(Exports.name);
  readonly #working = new Set<Promise<void>>();
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(@Inject(PORTS) private readonly ports: Ports) {}

  /** Takes up, now and then, what nobody works on, and removes what is over. */
  async start(): Promise<void> {
    if (this.#isStopped) return;
    try {
      await this.ports.operations.prepare(COLLECTION, INDEXES);
      await this.look();
    } catch (error) {
      this.#logger.warn(`Exports wait: ${String(error)}`);
    }
    this.#cancel = this.ports.timer.after(LOOK_MS, () => void this.start());
  }

  /** Ends after the step in hand. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await Promise.all(this.#working);
  }

  /** Begins an export; while one is under way, that one is given. */
  async begin(userId: string): Promise<Shown> {
    const { operations, config, limiter, clock, random } = this.ports;
    const own = await operations.find<Job>(COLLECTION, { filter: { userId } });
    const open = own.find(({ state }) => state === 'waiting' || state === 'running');
    if (open) return shown(open);
    const retryAfterMs = await waitMsOf(limiter, limitOf(config, 'exports'), userId);
    if (retryAfterMs > 0)
      reject('rate_limited', 'Exports were made already; fetch one of them.', { retryAfterMs });
    const exportId = random.uuid();
    const job: Job = {
      userId,
      state: 'waiting',
      createdAt: clock.iso(),
      expiresAtMs: clock.now() + KEPT_MS,
      done: 0,
      total: 0,
      bytes: 0,
      events: 0,
      after: '',
      leasedToMs: 0,
    };
    await operations.put(COLLECTION, exportId, job);
    this.#work(exportId);
    return shown({ ...job, _id: exportId });
  }

  /** How an export stands; `not_found` for anybody else's. */
  async one(userId: string, exportId: string): Promise<Shown> {
    return shown(await this.#own(userId, exportId));
  }

  /** Its bytes, once it is done. */
  async read(userId: string, exportId: string) {
    const { state } = await this.#own(userId, exportId);
    if (state !== 'done') reject('conflict', 'This export is not done yet; ask how it stands.');
    return createReadStream(exportPath(this.ports.config.DATA_DIR, userId, exportId));
  }

  /** Looks for exports that nobody works on, and for those that are over. */
  async look(): Promise<void> {
    const { operations, clock, config } = this.ports;
    for (const job of await operations.find<Job>(COLLECTION, { filter: {} })) {
      if (job.expiresAtMs < clock.now()) {
        await removeExport(exportPath(config.DATA_DIR, job.userId, job._id));
        await operations.take(COLLECTION, job._id);
      } else if (job.state === 'waiting' || job.state === 'running') this.#work(job._id);
    }
  }

  async #own(userId: string, exportId: string): Promise<Kept> {
    const job = await this.ports.operations.get<Job>(COLLECTION, exportId);
    if (job?.userId !== userId || job.expiresAtMs < this.ports.clock.now())
      return reject('not_found', 'There is no such export.');
    return job;
  }

  #work(exportId: string): void {
    const work = this.#run(exportId)
      .catch((error: unknown) => this.#logger.error(`Export ${exportId} waits: ${String(error)}`))
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  async #run(exportId: string): Promise<void> {
    const job = await this.#lease(exportId);
    if (!job) return;
    const path = exportPath(this.ports.config.DATA_DIR, job.userId, exportId);
    const isBegun = job.bytes > 0 && (await hasPart(path, job.bytes));
    const from = isBegun ? job : { ...job, done: 0, events: 0, bytes: 0, after: '' };
    const file = await ExportFile.open(path, from.bytes);
    try {
      await this.#write(file, from);
    } catch (error) {
      await file.close();
      // Free for whoever looks next.
      await this.#say(exportId, { leasedToMs: 0 });
      throw error;
    }
  }

  /** The export, if nobody else works on it. */
  async #lease(exportId: string): Promise<Kept | undefined> {
    const { operations, clock } = this.ports;
    const job = await operations.get<Job>(COLLECTION, exportId);
    if (!job || job.state === 'done' || job.leasedToMs > clock.now()) return undefined;
    const mine = { leasedToMs: job.leasedToMs, state: job.state };
    const leased = { state: 'running', leasedToMs: clock.now() + LEASE_MS };
    return operations.change<Job>(COLLECTION, exportId, mine, leased);
  }

  /** Writes what is missing; leaves off where the process ends, or the export is not wanted. */
  async #write(file: ExportFile, job: Kept): Promise<void> {
    const { userId, _id, createdAt } = job;
    const { store, views } = this.ports;
    await untilCaughtUp({ store, reading: views }, LEASE_MS / 2);
    const streams = await streamsFor(this.ports, userId);
    const left = streams.filter((stream) => stream > job.after);
    if (file.bytes === 0) await file.write(await headOf(this.ports, userId, createdAt));
    let { events, after } = job;
    for (const [index, stream] of left.entries()) {
      const done = streams.length - left.length + index;
      const at = { done, total: streams.length, bytes: file.bytes, events, after };
      const leasedToMs = this.ports.clock.now() + LEASE_MS;
      if (this.#isStopped || !(await this.#say(_id, { ...at, leasedToMs }))) {
        await file.close();
        await this.#say(_id, { leasedToMs: 0 });
        return;
      }
      crashPoint('export.stream');
      for await (const page of pagesIn(this.ports, stream)) {
        const lines = await linesOf(this.ports, page, userId);
        const text = lines.map((line, nth) => `${events + nth > 0 ? ',' : ''}\n${line}`);
        await file.write(text.join(''));
        events += lines.length;
      }
      after = stream;
    }
    await file.write(TAIL);
    const { bytes } = file;
    const done = { done: streams.length, total: streams.length, events, bytes };
    const sha256 = await file.finish();
    // Whoever was erased meanwhile leaves no file behind.
    if (!(await this.#say(_id, { ...done, sha256, state: 'done' })))
      await removeExport(exportPath(this.ports.config.DATA_DIR, userId, _id));
  }

  /** Whether the export is still wanted: its person may have been erased meanwhile. */
  async #say(exportId: string, what: Partial<Job>): Promise<boolean> {
    return (await this.ports.operations.change<Job>(COLLECTION, exportId, {}, what)) !== undefined;
  }
}
