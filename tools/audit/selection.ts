import { receiptStreamOf } from '#domain';
import { EVERY_STREAM, type EventStore, type LogEvent } from '#platform';
import { numberIn, type Options } from './options.js';

/** Which events of a log are asked for. */
export type Selection = Readonly<{
  prefixes: readonly string[];
  /** After this position; a page's cursor. */
  after: number | undefined;
  to: number;
  limit: number;
  /** In words, as it is written down. */
  scope: string;
  isMeant: (event: LogEvent) => boolean;
}>;

const PAGE_EVENTS = 2_000;
/** Events of one page where none is asked for. */
const LIMIT_STANDARD = 1_000;

const holds = (value: unknown, wanted: string): boolean => {
  if (typeof value === 'string') return value === wanted;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((inner) => holds(inner, wanted));
};

const timeOf = ({ data }: LogEvent): number => Date.parse(String(data['at']));

const instant = (name: string, text: string): number => {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Error(`--${name} takes a time such as 2026-11-23T12:00:00Z.`);
  return ms;
};

/** An opaque place after which a page begins. */
export const cursorOf = ({ position, id }: Pick<LogEvent, 'position' | 'id'>): string =>
  Buffer.from(JSON.stringify([position, id])).toString('base64url');

/** Where a cursor stands. Throws when the log has another event there, or the text is no cursor. */
export const placeOf = async (store: EventStore, cursor: string): Promise<number> => {
  const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString() || 'null');
  const parts: readonly unknown[] = Array.isArray(place) ? place : [];
  const [position, id] = parts;
  if (typeof position !== 'number') throw new Error('This is no cursor of this tool.');
  if ((await store.at(position))?.id === id) return position;
  throw new Error(`The log has another event at ${position} than when the cursor was given.`);
};

const prefixesOf = ({ stream, conversation }: Options): readonly string[] => {
  if (stream !== undefined) return [stream.endsWith('*') ? stream.slice(0, -1) : stream];
  if (conversation === undefined) return EVERY_STREAM;
  return [
    `conversation-${conversation}`,
    `audience-${conversation}`,
    receiptStreamOf(conversation),
  ];
};

type Rule = (event: LogEvent) => boolean;

const RULES: Readonly<Record<string, (wanted: string) => Rule>> = {
  stream: (wanted) => (wanted.endsWith('*') ? () => true : ({ stream }) => stream === wanted),
  type:
    (wanted) =>
    ({ type }) =>
      type === wanted,
  person:
    (wanted) =>
    ({ data, stream }) =>
      stream === `user-${wanted}` || holds(data, wanted),
  conversation:
    (wanted) =>
    ({ data }) =>
      holds(data, wanted),
  correlation:
    (wanted) =>
    ({ metadata }) =>
      metadata['$correlationId'] === wanted,
  since: (wanted) => {
    const from = instant('since', wanted);
    return (event) => timeOf(event) >= from;
  },
  until: (wanted) => {
    const to = instant('until', wanted);
    return (event) => timeOf(event) <= to;
  },
};

/** The options' selection. Throws for what cannot be understood. */
export const selectionOf = async (store: EventStore, options: Options): Promise<Selection> => {
  const given = Object.entries(options).flatMap(([name, wanted]) => {
    const rule = RULES[name];
    return rule && typeof wanted === 'string' ? [{ name, wanted, rule: rule(wanted) }] : [];
  });
  const from = numberIn(options, 'from');
  const begin = from === undefined || from === 0 ? undefined : from - 1;
  return {
    prefixes: prefixesOf(options),
    after: options.cursor === undefined ? begin : await placeOf(store, options.cursor),
    to: numberIn(options, 'to') ?? Number.MAX_SAFE_INTEGER,
    limit: numberIn(options, 'limit') ?? LIMIT_STANDARD,
    scope: given.map(({ name, wanted }) => `${name} ${wanted}`).join(', ') || 'everything',
    isMeant: (event) => given.every(({ rule }) => rule(event)),
  };
};

/** The selected events in the log's order, by the page; `read` hears of all that were looked at. */
export async function* selected(
  store: EventStore,
  { prefixes, after, to, isMeant }: Selection,
  read: (events: number, position: number) => void = () => undefined,
): AsyncGenerator<readonly LogEvent[], void> {
  let position = after;
  let count = 0;
  for (;;) {
    const page = await store.readAll(prefixes, position, PAGE_EVENTS);
    position = page.at(-1)?.position ?? position;
    count += page.length;
    read(count, position ?? 0);
    const meant = page.filter((event) => event.position <= to && isMeant(event));
    if (meant.length > 0) yield meant;
    if (page.length < PAGE_EVENTS || (position ?? 0) > to) return;
  }
}
