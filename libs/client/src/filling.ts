import { ScriptaError } from './errors.js';
import type { Fact, PageOf, Range } from './protocol.js';
import { pauseMs, sleep, type Runtime } from './runtime.js';

/** Facts one page of history holds. */
const PAGE_FACTS = 100;
/** Longest pause before a hole in a conversation is looked into again. */
const RETRY_MS_MAX = 2_000;

/** What holes are filled from. */
export type FillingPort = Readonly<{
  runtime: Runtime;
  isClosed: () => boolean;
  page: (conversationId: string, range: Range) => Promise<PageOf<Fact>>;
}>;

/** Gives the facts of a conversation after a place and before a fact, from pages of history. */
export const fillingFrom =
  ({ runtime, isClosed, page }: FillingPort) =>
  async ({ conversationId, seq, position }: Fact, after: number): Promise<readonly Fact[]> => {
    const facts: Fact[] = [];
    for (let from = after, attempt = 0; !isClosed();) {
      const range = { after: from, limit: PAGE_FACTS, minPosition: position };
      try {
        const { items } = await page(conversationId, range);
        facts.push(...items.filter((fact) => fact.seq < seq));
        const last = items.at(-1);
        if (!last || items.length < PAGE_FACTS || last.seq >= seq - 1) return facts;
        from = last.seq;
      } catch (error) {
        // What one may not read, from before one was added again, is no hole to fill.
        if (!(error instanceof ScriptaError) || !error.retryable) return facts;
        await sleep(runtime, pauseMs(runtime, (attempt += 1), RETRY_MS_MAX));
      }
    }
    return facts;
  };
