import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Where a person's exports are, within the data folder; an erasure removes the folder. */
export const exportPath = (dataDir: string, userId: string, exportId: string): string =>
  join(dataDir, 'exports', userId, `${exportId}.json`);

const partOf = (path: string): string => `${path}.part`;

/** One JSON document that grows member by member, each of them a list; it can be taken up again. */
export class ExportFile {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    /** Bytes that are to be kept if the writing is taken up again. */
    public bytes: number,
  ) {}

  /** Opens a file that holds `bytes` from an earlier try; what came after is cut off. */
  static async open(path: string, bytes: number): Promise<ExportFile> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(partOf(path), bytes > 0 ? 'r+' : 'w', 0o600);
    await file.truncate(bytes);
    return new ExportFile(path, file, bytes);
  }

  /** Writes on and syncs. */
  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text, 'utf8');
    await file(this.file, bytes, this.bytes);
    this.bytes += bytes.length;
  }

  /** Puts the finished document in place; gives its SHA-256 (hex). */
  async finish(): Promise<string> {
    await this.file.close();
    await rename(partOf(this.path), this.path);
    return hashOfFile(this.path);
  }

  /** Leaves off; it is taken up again or removed. */
  close(): Promise<void> {
    return this.file.close();
  }
}

const file = async (handle: FileHandle, bytes: Buffer, at: number): Promise<void> => {
  await handle.write(bytes, 0, bytes.length, at);
  await handle.datasync();
};

const hashOfFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  const handle = await open(path, 'r');
  for await (const chunk of handle.createReadStream()) hash.update(chunk);
  return hash.digest('hex');
};

/** Removes an export, finished or not. */
export const removeExport = async (path: string): Promise<void> => {
  await rm(path, { force: true });
  await rm(partOf(path), { force: true });
};

/** Whether as much of an unfinished export is there as was written down. */
export const hasPart = async (path: string, bytes: number): Promise<boolean> => {
  try {
    return (await stat(partOf(path))).size >= bytes;
  } catch {
    return false;
  }
};
