import { createHash, timingSafeEqual } from 'node:crypto';
import { reject } from '#domain';
import type { Clock, Random } from './clock.js';
import type { Operations } from './views.js';

/** What a calling application may do: log people in, or speak for people who are logged in. */
export const API_KEY_SCOPES = ['login', 'chat'] as const;
/** One of them. */
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

/** Owner: the operator. Loss policy: keys that are lost have to be made and handed out anew. */
const COLLECTION = 'api-keys';
const ID_BYTES = 6;
/** OWASP ASVS 5 (V6.5.2, V11.5.1) wants 128 bits of a CSPRNG; these are 256. */
const SECRET_BYTES = 32;
const KEY = /^scripta_(?<id>[0-9a-f]{12})_(?<secret>[\w-]{43})$/u;
/** A process believes what it read for so long: a key that is revoked is refused after that (ms). */
const BELIEVED_MS = 5_000;
/** Keys that one process remembers. */
const REMEMBERED_MAX = 10_000;
/** A use is noted this often (ms). */
const NOTED_MS = 60_000;
/** Keys of one listing. */
const LISTED_MAX = 1_000;

/** A secret by its SHA-256: 256 random bits need no slower hash. The old one ends at `until`. */
type Secret = Readonly<{ hash: string; until?: string }>;

/** A key as it is kept; nothing of it lets anybody in. */
export type ApiKey = Readonly<{
  name: string;
  scopes: readonly ApiKeyScope[];
  secrets: readonly Secret[];
  createdAt: string;
  revokedAt?: string;
  lastUsedAt?: string;
}>;

type Kept = ApiKey & Readonly<{ _id: string }>;
type Known = Readonly<{ key: Kept | undefined; atMs: number }>;

const hashed = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** The keys of calling applications: made by an operator, shown once, kept as hashes. */
export class ApiKeys {
  readonly #known = new Map<string, Known>();
  readonly #notedMs = new Map<string, number>();

  constructor(
    private readonly operations: Operations,
    private readonly ports: Readonly<{ clock: Clock; random: Random }>,
  ) {}

  /** Makes a key and gives it, for the only time. */
  async create(
    name: string,
    scopes: readonly ApiKeyScope[],
  ): Promise<Readonly<{ id: string; key: string }>> {
    const id = this.ports.random.bytes(ID_BYTES).toString('hex');
    const { key, hash } = this.#made(id);
    const kept: ApiKey = { name, scopes, secrets: [{ hash }], createdAt: this.ports.clock.iso() };
    await this.operations.put(COLLECTION, id, kept);
    return { id, key };
  }

  /** All keys, revoked ones too, by id. */
  list(): Promise<readonly Kept[]> {
    return this.operations.find<ApiKey>(COLLECTION, {
      filter: {},
      sort: { _id: 1 },
      limit: LISTED_MAX,
    });
  }

  /** Gives a new secret; the former is good for `overlapS` seconds more. Throws `not_found`. */
  async rotate(id: string, overlapS: number): Promise<string> {
    const { secrets } = await this.#mustHave(id);
    const until = new Date(this.ports.clock.now() + overlapS * 1_000).toISOString();
    const { key, hash } = this.#made(id);
    const former = secrets.filter((one) => one.until === undefined);
    const next: readonly Secret[] = [{ hash }, ...former.map((one) => ({ ...one, until }))];
    await this.operations.change<ApiKey>(COLLECTION, id, {}, { secrets: next });
    this.#known.delete(id);
    return key;
  }

  /** Ends a key everywhere within seconds. Throws `not_found`. */
  async revoke(id: string): Promise<void> {
    await this.#mustHave(id);
    const revokedAt = this.ports.clock.iso();
    await this.operations.change<ApiKey>(COLLECTION, id, {}, { revokedAt });
    this.#known.delete(id);
  }

  /** Throws `unauthorized` for what is no key of ours, `forbidden` for one without the scope. */
  async check(given: string, scope: ApiKeyScope): Promise<void> {
    const { id = '', secret = '' } = KEY.exec(given)?.groups ?? {};
    const key = await this.#find(id);
    const now = this.ports.clock.iso();
    const shown = hashed(secret);
    const isRight = key?.secrets.some(
      ({ hash, until }) =>
        timingSafeEqual(Buffer.from(hash, 'hex'), shown) && (until === undefined || until > now),
    );
    if (!key || !isRight || key.revokedAt !== undefined)
      return reject('unauthorized', 'Send a valid key of your application as X-Api-Key.');
    if (!key.scopes.includes(scope))
      reject('forbidden', `This key has no scope “${scope}”; ask the operator for one that has.`);
    await this.#note(id);
  }

  async #find(id: string): Promise<Kept | undefined> {
    if (id === '') return undefined;
    const nowMs = this.ports.clock.monotonic();
    const known = this.#known.get(id);
    if (known && nowMs - known.atMs < BELIEVED_MS) return known.key;
    const key = await this.operations.get<ApiKey>(COLLECTION, id);
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(id, { key, atMs: nowMs });
    return key;
  }

  async #note(id: string): Promise<void> {
    const nowMs = this.ports.clock.monotonic();
    if (nowMs - (this.#notedMs.get(id) ?? -NOTED_MS) < NOTED_MS) return;
    this.#notedMs.set(id, nowMs);
    const lastUsedAt = this.ports.clock.iso();
    await this.operations.change<ApiKey>(COLLECTION, id, {}, { lastUsedAt });
  }

  async #mustHave(id: string): Promise<Kept> {
    const key = await this.operations.get<ApiKey>(COLLECTION, id);
    return key ?? reject('not_found', `There is no key ${id}; see npm run api-keys -- list.`);
  }

  #made(id: string): Readonly<{ key: string; hash: string }> {
    const secret = this.ports.random.bytes(SECRET_BYTES).toString('base64url');
    return { key: `scripta_${id}_${secret}`, hash: hashed(secret).toString('hex') };
  }
}
