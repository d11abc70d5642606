import { hkdfSync } from 'node:crypto';
import { Query as Filter } from 'mingo';
import {
  AccessTokens,
  Keys,
  MemoryViewsAt,
  MemoryViewStore,
  MemoryViewSwitch,
  MemoryViewWriter,
  Operations,
  ViewsUnavailable,
  type AccessClaims,
  type Clock,
  type Query,
  type SubjectKey,
  type Timer,
  type Views,
  type ViewSwitch,
  type ViewWriter,
} from '#platform';
import { percent, type Draw } from './chance.js';
import type { Network, Service } from './network.js';
import type { Actor } from './time.js';

const KEY_BYTES = 32;
/** In a hundred bulks, so many are carried out in two parts, with room for a death in between. */
const TORN_PERCENT = 30;

type Kept = object & Readonly<{ _id: string }>;

/** The database's server: the read models, and the small documents of the running system. */
export class SimulatedDatabase {
  readonly views = new MemoryViewStore();
  readonly operations = new Map<string, Kept>();
  isUp = true;
  /** Hears of each checkpoint that was saved. */
  saved: () => void = () => undefined;
  readonly service: Service = {
    name: 'database',
    isUp: () => this.isUp,
    gone: (message) => new ViewsUnavailable(message),
  };

  constructor(
    private readonly network: Network,
    private readonly draw: Draw,
  ) {}

  /** The read models as one node asks them. */
  viewsAt(actor: Actor, clock: Clock, timer: Timer): Views {
    return new MemoryViewsAt(new DistantViews(this, this.network, actor), clock, timer);
  }

  /** The read models as one node writes them: a bulk is no transaction, and answers get lost. */
  writerAt(actor: Actor, plain: ViewWriter = new MemoryViewWriter(this.views)): ViewWriter {
    const writer = this.#distant(actor, plain);
    return Object.assign(writer, {
      write: async (...[view, documents, fresh]: Parameters<ViewWriter['write']>) => {
        const isTorn = documents.length > 1 && percent(this.draw, TORN_PERCENT);
        const cut = isTorn ? 1 + this.draw(documents.length - 1) : documents.length;
        const send = (part: typeof documents) =>
          this.network.call(actor, this.service, () => plain.write(view, part, fresh));
        const refused = await send(documents.slice(0, cut));
        return isTorn ? [...refused, ...(await send(documents.slice(cut)))] : refused;
      },
      save: async (...given: Parameters<ViewWriter['save']>) => {
        await this.network.call(actor, this.service, async () => {
          await plain.save(...given);
          this.saved();
        });
      },
    });
  }

  switchAt(actor: Actor): ViewSwitch {
    const near = new MemoryViewSwitch(this.views);
    const next = () => this.writerAt(actor, near.next());
    return Object.assign(this.#distant(actor, near), { next });
  }

  operationsAt(actor: Actor): Operations {
    return new DistantOperations(this, this.network, actor);
  }

  /** The same, each call on its way there and back. */
  #distant<T extends object>(actor: Actor, near: T): T {
    const { network, service } = this;
    // oxlint-disable typescript/no-unsafe-type-assertion
    const own = new Map<PropertyKey, unknown>();
    return new Proxy(near, {
      get: (target, name) => {
        if (own.has(name)) return own.get(name);
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return (...given: unknown[]) =>
          network.call(actor, service, () => method.apply(target, given) as unknown);
      },
      set: (_, name, value) => {
        own.set(name, value);
        return true;
      },
    });
    // oxlint-enable typescript/no-unsafe-type-assertion
  }
}

/** What the read models hold, at a distance. */
class DistantViews extends MemoryViewStore {
  constructor(
    private readonly database: SimulatedDatabase,
    private readonly network: Network,
    private readonly actor: Actor,
  ) {
    super();
    const { collections, checkpoints, parked, projectors, erased } = database.views;
    Object.assign(this, { collections, checkpoints, parked, projectors, erased });
  }

  override reach(): Promise<void> {
    return this.network.call(this.actor, this.database.service, () => undefined);
  }
}

/** The small documents, as one node reaches them. */
class DistantOperations extends Operations {
  constructor(
    private readonly database: SimulatedDatabase,
    private readonly network: Network,
    private readonly actor: Actor,
  ) {
    super();
  }

  override get<D extends object>(collection: string, id: string) {
    return this.#ask((documents) => at<D>(documents, `${collection}/${id}`));
  }

  override put(collection: string, id: string, document: object): Promise<void> {
    const kept = structuredClone({ ...document, _id: id });
    return this.#ask((documents) => void documents.set(`${collection}/${id}`, kept));
  }

  override increment<D extends object>(collection: string, id: string, field: string) {
    return this.#ask((documents) => {
      const document = documents.get(`${collection}/${id}`);
      if (document) Reflect.set(document, field, Number(Reflect.get(document, field) ?? 0) + 1);
      return at<D>(documents, `${collection}/${id}`);
    });
  }

  override change<D extends object>(
    collection: string,
    id: string,
    where: Readonly<Record<string, unknown>>,
    set: Readonly<Record<string, unknown>>,
  ) {
    return this.#ask((documents) => {
      const document = documents.get(`${collection}/${id}`);
      if (
        !document ||
        Object.entries(where).some(([name, is]) => Reflect.get(document, name) !== is)
      )
        return undefined;
      Object.assign(document, set);
      return at<D>(documents, `${collection}/${id}`);
    });
  }

  override take<D extends object>(collection: string, id: string) {
    return this.#ask((documents) => {
      const taken = at<D>(documents, `${collection}/${id}`);
      documents.delete(`${collection}/${id}`);
      return taken;
    });
  }

  override prepare(): Promise<void> {
    return this.#ask(() => undefined);
  }

  override putAll(collection: string, documents: readonly Kept[]): Promise<void> {
    const kept = structuredClone(documents);
    return this.#ask((all) => {
      for (const document of kept) all.set(`${collection}/${document._id}`, document);
    });
  }

  override find<D extends object>(collection: string, { filter }: Query) {
    return this.#ask((all) => {
      const matches = new Filter({ ...filter });
      const keys = [...all.keys()].filter((key) => key.startsWith(`${collection}/`));
      return keys
        .flatMap((key) => at<D>(all, key) ?? [])
        .filter((document) => matches.test(document));
    });
  }

  override clear(collection: string, { _id }: Query['filter']): Promise<void> {
    return this.#ask((all) => void all.delete(`${collection}/${String(_id)}`));
  }

  #ask<T>(work: (documents: Map<string, Kept>) => T): Promise<T> {
    const { service, operations } = this.database;
    return this.network.call(this.actor, service, () => work(operations));
  }
}

// The caller names the shape of what it has put there, as with any database.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
const at = <D extends object>(documents: ReadonlyMap<string, Kept>, key: string) =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  structuredClone(documents.get(key)) as (D & { _id: string }) | undefined;

/** Keys that follow from the seed; all nodes share them. */
export class SimulatedKeys extends Keys {
  readonly #keys = new Map<string, SubjectKey | undefined>();
  readonly #master: Buffer;

  constructor(seed: number) {
    super();
    this.#master = Buffer.from(`seed ${seed}`);
  }

  override ensure(subject: string): Promise<SubjectKey | undefined> {
    if (!this.#keys.has(subject))
      this.#keys.set(subject, { secret: this.derive(`subject ${subject}`) });
    return Promise.resolve(this.#keys.get(subject));
  }

  override find(subject: string): SubjectKey | undefined {
    return this.#keys.get(subject);
  }

  override destroy(subject: string): Promise<void> {
    this.#keys.set(subject, undefined);
    return Promise.resolve();
  }

  override derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#master, '', purpose, KEY_BYTES));
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Tokens that say who speaks, unsigned: signatures are made on threads that no seed rules. */
export class SimulatedTokens extends AccessTokens {
  override verify(token: string): Promise<AccessClaims> {
    const [userId = '', deviceId = ''] = token.split('|');
    const expiresAtMs = Number.MAX_SAFE_INTEGER;
    return Promise.resolve({ userId, deviceId, sessionId: deviceId, expiresAtMs });
  }
}
