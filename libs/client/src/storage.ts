/**
 * Where the SDK keeps what must survive: the session, the outbox, `n` by conversation and the
 * cursor. A write need not be on disk when the call returns, but writes keep their order.
 */
export type ScriptaStorage = Readonly<{
  /** Everything that is kept, by key. */
  load: () => Promise<ReadonlyMap<string, unknown>>;
  /** Keeps a JSON value under a key; `undefined` removes it. */
  put: (key: string, value: unknown) => void;
  /** Resolves once all that was put is kept. */
  flush: () => Promise<void>;
  /** Claims it for one client, in this tab or process or another; whether nobody else has it. */
  claim?: () => Promise<boolean>;
  /** Lets another client have it. */
  release?: () => Promise<void>;
}>;

/** Keeps things for as long as the object lives; two clients may be given the same one in turn. */
export class MemoryStorage implements ScriptaStorage {
  readonly #kept = new Map<string, unknown>();

  readonly load = (): Promise<ReadonlyMap<string, unknown>> => Promise.resolve(new Map(this.#kept));

  readonly put = (key: string, value: unknown): void => {
    if (value === undefined) this.#kept.delete(key);
    else this.#kept.set(key, value);
  };

  readonly flush = (): Promise<void> => Promise.resolve();
}
