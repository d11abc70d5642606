import { ERASURES_STREAM } from '#domain';
import type { Timer } from './clock.js';
import type { EventStore } from './event-store.js';
import { Keys, KeysUnavailable, type SubjectKey } from './keys.js';
import { ViewsUnavailable, type ViewWriter } from './view-writer.js';
import { Views, type Query, type Stored } from './views.js';

/** Erasures read at once. */
const PAGE = 500;
/** Pause before the log is asked again for who was erased, while it is away at the start (ms). */
const PAUSE_MS = 500;
/** How long a reader waits for the erasures to be applied again before it is told to come back. */
const WAIT_MS_MAX = 2_000;

/** An erasure as the log has it. Its events hold nothing personal: no key is needed to read them. */
export type KnownErasure = Readonly<{ userId: string; position: number; isCompleted: boolean }>;

/** Everybody who was erased, in the order of the log. */
export const erasuresIn = async (store: EventStore): Promise<readonly KnownErasure[]> => {
  const found = new Map<string, KnownErasure>();
  for (let from = 0; ; from += PAGE) {
    const page = await store.read(ERASURES_STREAM, from, PAGE);
    for (const { type, data, position } of page) {
      const userId = String(data['userId']);
      const known = found.get(userId) ?? { userId, position, isCompleted: false };
      found.set(userId, { ...known, isCompleted: type === 'ErasureCompleted' });
    }
    if (page.length < PAGE) return [...found.values()];
  }
};

/** Destroys the keys of all who were erased: a restored backup may have brought some back. */
export const destroyErased = async (
  keys: Keys,
  erased: readonly KnownErasure[],
): Promise<readonly string[]> => {
  const revived: string[] = [];
  for (const { userId } of erased) {
    // A key that is not there at all must not be made again either.
    if (!(await keys.ensure(userId))) continue;
    await keys.destroy(userId);
    revived.push(userId);
  }
  return revived;
};

/** What applying erasures at the start of a process stands on. */
export type ApplyingPorts = Readonly<{
  store: EventStore;
  keys: Keys;
  timer: Timer;
  log: (message: string) => void;
  isStopped: () => boolean;
}>;

/**
 * At the start of every process that opens keys: destroys again what the log says is destroyed,
 * waiting for a log that is away. Gives who was erased.
 */
export const applyErasures = async ({
  store,
  keys,
  timer,
  log,
  isStopped,
}: ApplyingPorts): Promise<readonly KnownErasure[]> => {
  while (!isStopped()) {
    try {
      const erased = await erasuresIn(store);
      for (const userId of await destroyErased(keys, erased))
        log(`The key of ${userId}, who was erased, was there again: destroyed.`);
      return erased;
    } catch (error) {
      if (isStopped()) break;
      log(`Who was erased is not known yet: ${String(error)}`);
      await timer.sleep(PAUSE_MS);
    }
  }
  return [];
};

/** Resolves once the read models hold every erasure that was completed: not an older backup. */
export const untilViewsErased = async (
  writer: ViewWriter,
  erased: readonly KnownErasure[],
  { timer, log, isStopped }: Pick<ApplyingPorts, 'timer' | 'log' | 'isStopped'>,
): Promise<void> => {
  const completed = erased.filter(({ isCompleted }) => isCompleted);
  for (let isTold = false; completed.length > 0 && !isStopped();) {
    try {
      const noted = await writer.erased();
      const missing = completed.filter(({ userId }) => !noted.has(userId));
      if (missing.length === 0) return;
      if (!isTold)
        log(`The read models hold ${missing.length} people who were erased; the projector erases.`);
      isTold = true;
    } catch (error) {
      if (isStopped()) return;
      log(`Whether the read models are erased is not known yet: ${String(error)}`);
    }
    await timer.sleep(PAUSE_MS);
  }
};

/** Something that must come first, waited for up to a limit. */
class First {
  isDone = false;

  constructor(
    private readonly done: Promise<unknown>,
    private readonly timer: Timer,
    private readonly late: () => Error,
  ) {
    done.then(
      () => (this.isDone = true),
      () => undefined,
    );
  }

  async wait(): Promise<void> {
    let cancel: (() => void) | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      cancel = this.timer.after(WAIT_MS_MAX, () => reject(this.late()));
    });
    await Promise.race([this.done, tooLate]).finally(() => cancel?.());
  }
}

const notKnown = (): Error => new KeysUnavailable('Who was erased is not known yet.');
const restored = (): Error =>
  new ViewsUnavailable('The read models were restored; people are erased.');

/** Keys that open nothing before the log has said whose were destroyed. */
export class KeysAfterErasures extends Keys {
  readonly #first: First;

  constructor(
    private readonly keys: Keys,
    applied: Promise<unknown>,
    timer: Timer,
  ) {
    super();
    this.#first = new First(applied, timer, notKnown);
  }

  override async ensure(subject: string): Promise<SubjectKey | undefined> {
    if (!this.#first.isDone) await this.#first.wait();
    return this.keys.ensure(subject);
  }

  override find(subject: string): SubjectKey | undefined | Promise<SubjectKey | undefined> {
    if (this.#first.isDone) return this.keys.find(subject);
    return this.#first.wait().then(() => this.keys.find(subject));
  }

  override destroy(subject: string): Promise<void> {
    return this.keys.destroy(subject);
  }

  override get forgottenWithinMs(): number {
    return this.keys.forgottenWithinMs;
  }

  override derive(purpose: string): Buffer {
    return this.keys.derive(purpose);
  }

  override close(): Promise<void> {
    return this.keys.close();
  }
}

/** Read models that show nothing before they hold every erasure. */
export class ViewsAfterErasures extends Views {
  readonly #first: First;

  constructor(
    private readonly views: Views,
    erased: Promise<unknown>,
    timer: Timer,
  ) {
    super();
    this.#first = new First(erased, timer, restored);
  }

  override async find<D extends object>(view: string, query: Query): Promise<readonly Stored<D>[]> {
    if (!this.#first.isDone) await this.#first.wait();
    return this.views.find<D>(view, query);
  }

  override async get<D extends object>(
    view: string,
    ids: readonly string[],
  ): Promise<readonly Stored<D>[]> {
    if (!this.#first.isDone) await this.#first.wait();
    return this.views.get<D>(view, ids);
  }

  override checkpoint(view: string): Promise<number> {
    return this.views.checkpoint(view);
  }

  override reached(views: readonly string[], position: number, withinMs: number): Promise<boolean> {
    return this.views.reached(views, position, withinMs);
  }

  override prepare(projection: Parameters<Views['prepare']>[0]): Promise<void> {
    return this.views.prepare(projection);
  }

  override close(): Promise<void> {
    return this.views.close();
  }
}
