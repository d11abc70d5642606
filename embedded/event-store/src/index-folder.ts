import { access, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What LMDB's first two pages, its meta pages, hold where (lmdb.h, struct MDB_meta). */
const META = { magic: 24, pageSize: 48, lastPage: 144, bytes: 160 } as const;
const MAGIC = 0xbeefc0de;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The folder in which LMDB keeps the index, and whether it may be opened at all. */
export class IndexFolder {
  readonly path: string;
  /**
   * Stands while the index is on trial: written when it is opened, taken away when it has served a
   * while or was closed in order. LMDB trusts its file: damaged pages end the process. Where that
   * happened, the next start finds this and rebuilds, so that a start cannot fail for ever.
   */
  readonly #trial: string;

  constructor(folder: string) {
    this.path = join(folder, 'index');
    this.#trial = join(folder, 'index.on-trial');
  }

  /** Why the index cannot be used; nothing when it can. */
  async defect(): Promise<string | undefined> {
    if (!(await exists(join(this.path, 'data.mdb')))) return 'there is none';
    if (await exists(this.#trial)) return 'the process that opened it last did not get far';
    const file = await open(join(this.path, 'data.mdb'), 'r');
    try {
      const { size } = await file.stat();
      const meta = Buffer.alloc(META.bytes);
      await file.read(meta, 0, META.bytes, 0);
      if (meta.readUInt32LE(META.magic) !== MAGIC) return 'it is damaged';
      const pageSize = meta.readUInt32LE(META.pageSize);
      const second = Buffer.alloc(META.bytes);
      await file.read(second, 0, META.bytes, pageSize);
      const lastPages = [meta, second].map((page) => page.readBigUInt64LE(META.lastPage));
      const lastPage = lastPages.reduce((high, one) => (one > high ? one : high));
      return BigInt(size) < (lastPage + 1n) * BigInt(pageSize) ? 'it is cut short' : undefined;
    } finally {
      await file.close();
    }
  }

  async beginTrial(): Promise<void> {
    await writeFile(this.#trial, '');
  }

  async endTrial(): Promise<void> {
    await rm(this.#trial, { force: true });
  }

  async empty(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    await this.endTrial();
  }
}
