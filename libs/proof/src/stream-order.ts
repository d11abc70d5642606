import { chained, NO_CHAIN, type ProvenEvent } from './leaves.js';
import { linkOf, prevOf } from './links.js';

type Last = { revision: number; link: string | undefined };

/** Follows each stream of a log: no revision missing or twice, no link broken. */
export class StreamOrder {
  readonly #last = new Map<string, Last>();
  #chain: Buffer | undefined;

  /** `chainOf` is a stream whose chain is to be computed. */
  constructor(private readonly chainOf?: string) {}

  /** The chain (hex) of the stream that was asked for; nothing while it has no event. */
  get chain(): string | undefined {
    return this.#chain?.toString('hex');
  }

  /** Takes the next event of the log; says what is wrong with its place in its stream. */
  take(event: ProvenEvent, leaf: Buffer): string | undefined {
    const { stream, revision } = event;
    if (stream === this.chainOf) this.#chain = chained(this.#chain ?? NO_CHAIN, leaf);
    const prev = prevOf(event);
    const last = this.#last.get(stream);
    const wrong = wrongAfter(last, revision, prev);
    const link = prev === undefined ? undefined : linkOf(event);
    if (last) Object.assign(last, { revision, link });
    else this.#last.set(stream, { revision, link });
    return wrong;
  }
}

const wrongAfter = (
  last: Last | undefined,
  revision: number,
  prev: string | undefined,
): string | undefined => {
  const before = last?.revision ?? -1;
  if (revision > before + 1)
    return `Revisions ${before + 1} to ${revision - 1} of the stream are missing before it.`;
  if (revision <= before) return `It comes after revision ${before} of its stream.`;
  if (prev === undefined || (last?.link ?? '') === prev) return undefined;
  return `It does not follow revision ${before} of its stream as that is here: one was altered.`;
};
