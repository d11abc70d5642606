import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * LMDB's file format (mdb.c, data version 2, 64 bits): a page's header, two meta pages, B-trees.
 * LMDB maps the file and has no checks of its own: a page beyond the end kills the process.
 */
const PAGE_HEADER_BYTES = 24;
const META_BYTES = 168;
const MAGIC = 0xbeefc0de;
const META = { magic: 24, version: 28, pageSize: 48, freeRoot: 88, mainRoot: 136, last: 144 };
const TXN_AT = 152;
const VERSION = 2;
const NO_PAGE = (1n << 64n) - 1n;
const PAGE_FLAG = { branch: 1, leaf: 2 } as const;
const NODE_FLAG = { big: 1, tree: 2 } as const;
const NODE_HEADER_BYTES = 8;
/** Where the root page's number stands in the record of a tree. */
const ROOT_AT = 40;

class Pages {
  private readonly count: bigint;

  constructor(
    private readonly file: number,
    private readonly pageSize: number,
    bytes: number,
  ) {
    this.count = BigInt(Math.floor(bytes / pageSize));
  }

  /** Follows a tree; refuses a reference to a page that the file does not hold. */
  walk(root: bigint): void {
    if (root === NO_PAGE) return;
    this.check(root, 1n);
    const page = Buffer.allocUnsafe(this.pageSize);
    readSync(this.file, page, 0, this.pageSize, Number(root) * this.pageSize);
    const flags = page.readUInt16LE(18);
    const nodes = (page.readUInt16LE(20) - PAGE_HEADER_BYTES) >> 1;
    for (let at = 0; at < nodes; at++) {
      const node = page.readUInt16LE(PAGE_HEADER_BYTES + at * 2);
      if ((flags & PAGE_FLAG.branch) !== 0) this.walk(BigInt(page.readUIntLE(node, 6)));
      else if ((flags & PAGE_FLAG.leaf) !== 0) this.value(page, node);
    }
  }

  private value(page: Buffer, node: number): void {
    const data = node + NODE_HEADER_BYTES + page.readUInt16LE(node + 6);
    const flags = page.readUInt16LE(node + 4);
    if ((flags & NODE_FLAG.big) !== 0) {
      const bytes = page.readUInt32LE(node) + PAGE_HEADER_BYTES;
      this.check(page.readBigUInt64LE(data), BigInt(Math.ceil(bytes / this.pageSize)));
    } else if ((flags & NODE_FLAG.tree) !== 0) {
      this.walk(page.readBigUInt64LE(data + ROOT_AT));
    }
  }

  private check(first: bigint, pages: bigint): void {
    if (first + pages > this.count) {
      throw new Error(`data.mdb is cut short: page ${first} of ${this.count} is missing`);
    }
  }
}

function newestMeta(file: number): Buffer {
  const first = Buffer.alloc(META_BYTES);
  if (readSync(file, first, 0, META_BYTES, 0) < META_BYTES)
    throw new Error('data.mdb is cut short');
  if (first.readUInt32LE(META.magic) !== MAGIC) throw new Error('data.mdb is no file of LMDB');
  const version = first.readUInt32LE(META.version);
  if (version !== VERSION) throw new Error(`data.mdb has the unknown LMDB version ${version}`);
  const second = Buffer.alloc(META_BYTES);
  const pageSize = first.readUInt32LE(META.pageSize);
  if (readSync(file, second, 0, META_BYTES, pageSize) < META_BYTES) {
    throw new Error('data.mdb is cut short');
  }
  return first.readBigUInt64LE(TXN_AT) > second.readBigUInt64LE(TXN_AT) ? first : second;
}

/** Refuses a data file that LMDB would fall over: of another kind, or cut short. */
export function checkPages(path: string): void {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const meta = newestMeta(file);
    const pageSize = meta.readUInt32LE(META.pageSize);
    const needed = (meta.readBigUInt64LE(META.last) + 1n) * BigInt(pageSize);
    if (BigInt(size) >= needed) return;
    const pages = new Pages(file, pageSize, size);
    pages.walk(meta.readBigUInt64LE(META.freeRoot));
    pages.walk(meta.readBigUInt64LE(META.mainRoot));
  } finally {
    closeSync(file);
  }
}
