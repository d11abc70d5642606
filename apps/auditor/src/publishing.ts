import { appendFile, open } from 'node:fs/promises';
import type { Config, KeptHead } from '#platform';

/** A receiver that has not answered by then is asked again later (ms). */
const ANSWER_MS_MAX = 5_000;
/** Heads that wait for a receiver; of more than these only the latest count anyway. */
const WAITING_MAX = 1_000;
/** Bytes at the end of the file in which its last head stands. */
const TAIL_BYTES = 4_096;

/** Brings signed heads to where whoever runs the platform cannot take them back. */
export class Publishing {
  #waiting: KeptHead[] = [];
  readonly #file: string;
  readonly #url: string;
  /** Of the heads that wait, so many are in the file already. */
  #inFile = 0;

  constructor({ HEADS_FILE, HEADS_URL }: Pick<Config, 'HEADS_FILE' | 'HEADS_URL'>) {
    this.#file = HEADS_FILE;
    this.#url = HEADS_URL;
  }

  /** Heads that are not where they should be yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Begins after a head that may or may not have been published before. */
  async begin(last: KeptHead | undefined): Promise<void> {
    if (!last || this.#file === '' || (await this.#ends(last))) return;
    this.#waiting.push(last);
  }

  add(head: KeptHead): void {
    if (this.#file !== '' || this.#url !== '') this.#waiting.push(head);
    if (this.#waiting.length <= WAITING_MAX) return;
    this.#waiting.shift();
    this.#inFile = Math.max(0, this.#inFile - 1);
  }

  /** Publishes what waits. Throws when it could not; it waits on. */
  async flush(): Promise<void> {
    const fresh = this.#waiting.slice(this.#inFile);
    if (this.#file !== '' && fresh.length > 0)
      await appendFile(this.#file, fresh.map((head) => `${JSON.stringify(head)}\n`).join(''));
    this.#inFile = this.#waiting.length;
    for (let [head] = this.#waiting; head; [head] = this.#waiting) {
      if (this.#url !== '') await this.#send(head);
      this.#waiting.shift();
      this.#inFile -= 1;
    }
  }

  async #send(head: KeptHead): Promise<void> {
    const answer = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(head),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    if (!answer.ok) throw new Error(`${this.#url} answered ${answer.status}.`);
  }

  async #ends({ signature }: KeptHead): Promise<boolean> {
    try {
      const file = await open(this.#file, 'r');
      try {
        const { size } = await file.stat();
        const from = Math.max(0, size - TAIL_BYTES);
        const { buffer } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
        return buffer.toString('utf8').includes(signature);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    }
  }
}
