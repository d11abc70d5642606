import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of a file looked at once. */
const CHUNK_BYTES = 4_194_304;

/** What a search through the raw bytes of files has found. */
export type Scan = Readonly<{ texts: number; files: number; bytes: number; hits: number }>;

const inFile = async (
  path: string,
  needles: readonly Buffer[],
): Promise<{ bytes: number; hits: number }> => {
  const file = await open(path, 'r');
  const overlap = Math.max(0, ...needles.map(({ length }) => length - 1));
  const buffer = Buffer.alloc(CHUNK_BYTES + overlap);
  let [bytes, hits, kept] = [0, 0, 0];
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, kept, CHUNK_BYTES, bytes);
      if (bytesRead === 0) return { bytes, hits };
      bytes += bytesRead;
      const seen = buffer.subarray(0, kept + bytesRead);
      hits += needles.filter((needle) => seen.includes(needle)).length;
      kept = Math.min(overlap, seen.length);
      buffer.copyWithin(0, seen.length - kept, seen.length);
    }
  } finally {
    await file.close();
  }
};

/** Looks for texts in every byte of every file below a folder. */
export const scanFolder = async (folder: string, texts: readonly string[]): Promise<Scan> => {
  const needles = texts.map((text) => Buffer.from(text, 'utf8'));
  const found = { texts: texts.length, files: 0, bytes: 0, hits: 0 };
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const { bytes, hits } = await inFile(join(entry.parentPath, entry.name), needles);
    found.files += 1;
    found.bytes += bytes;
    found.hits += hits;
  }
  return found;
};
