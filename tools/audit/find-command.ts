import type { EventStore, LogEvent } from '#platform';

/** Streams that commands write to. */
const PREFIXES = ['conversation-', 'audience-', 'user-', 'claim-', 'own-'];
const PAGE_EVENTS = 2_000;

const isOf = ({ data }: LogEvent, commandId: string): boolean => {
  const { origin } = data;
  return (
    typeof origin === 'object' &&
    origin !== null &&
    'command' in origin &&
    origin.command === commandId
  );
};

/** The first event of a command, searched for in the whole log: nothing is indexed by command. */
export const findCommand = async (
  store: EventStore,
  commandId: string,
): Promise<LogEvent | undefined> => {
  let after: number | undefined;
  for (;;) {
    const page = await store.readAll(PREFIXES, after, PAGE_EVENTS);
    const found = page.find((event) => isOf(event, commandId));
    if (found || page.length < PAGE_EVENTS) return found;
    after = page.at(-1)?.position;
  }
};
