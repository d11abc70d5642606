import { EVERY_STREAM, type EventStore, type LogEvent } from '#platform';
import { isProven } from '#proof';
import { recordAccess } from './access.js';
import type { OpenLog } from './log.js';
import { numberIn, type Asked, type Options } from './options.js';
import { cursorOf, selected, selectionOf, type Selection } from './selection.js';
import { lineOf, shownEvent } from './shown-event.js';

/** The log is asked for more this often (ms). */
const TAIL_MS = 500;
/** A range without an end. */
const NO_END = -1;

const endOf = async (store: EventStore): Promise<number> =>
  (await store.head(EVERY_STREAM))?.position ?? 0;

const tell = async (events: readonly LogEvent[], log: OpenLog, { json }: Options) => {
  for (const event of events) {
    const shown = await shownEvent(event, log);
    console.log(json ? JSON.stringify(shown) : lineOf(shown));
  }
};

const take = async (
  { store }: OpenLog,
  selection: Selection,
): Promise<Readonly<{ events: readonly LogEvent[]; cursor?: string }>> => {
  const events: LogEvent[] = [];
  for await (const page of selected(store, selection)) {
    events.push(...page);
    if (events.length <= selection.limit) continue;
    const kept = events.slice(0, selection.limit);
    const last = kept.at(-1);
    return { events: kept, ...(last ? { cursor: cursorOf(last) } : {}) };
  }
  return { events };
};

const tellCursor = (cursor: string | undefined): void => {
  if (cursor !== undefined) console.error(`There is more: --cursor ${cursor}`);
};

/** `replay`: events in the order of the log. */
export const replayCommand = async (log: OpenLog, { options }: Asked): Promise<void> => {
  const selection = await selectionOf(log.store, options);
  const { scope, after = 0 } = selection;
  const to = Math.min(selection.to, await endOf(log.store));
  await recordAccess(log, { scope, from: after, to }, options);
  const { events, cursor } = await take(log, { ...selection, to });
  await tell(events, log, options);
  tellCursor(cursor);
};

/** `tail`: what comes from now on, until the process is ended. */
export const tailCommand = async (log: OpenLog, { options }: Asked): Promise<void> => {
  let after = await endOf(log.store);
  const { scope } = await selectionOf(log.store, options);
  await recordAccess(log, { scope, from: after, to: NO_END }, options);
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  while (!ending.signal.aborted) {
    const selection = { ...(await selectionOf(log.store, options)), after };
    const end = await endOf(log.store);
    for await (const events of selected(log.store, { ...selection, to: end }))
      await tell(events, log, options);
    after = Math.max(after, end);
    await new Promise((resolve) => setTimeout(resolve, TAIL_MS));
  }
};

/** `show`: one event, by its stream and place there or by its position. */
export const showCommand = async (log: OpenLog, { rest, options }: Asked): Promise<void> => {
  const [name = '', seq] = rest;
  const event =
    seq === undefined
      ? await log.store.at(Number(name))
      : (await log.store.read(name, Number(seq), 1))[0];
  if (!event) throw new Error(`There is no event ${rest.join(' ')}.`);
  const { position, stream, revision } = event;
  const scope = `${stream} revision ${revision}`;
  await recordAccess(log, { scope, from: position, to: position }, options);
  const shown = await shownEvent(event, log);
  console.log(JSON.stringify(shown, undefined, options.json ? undefined : 2));
};

/** `streams`: each with its length, in the order in which they began. */
export const streamsCommand = async (log: OpenLog, { options }: Asked): Promise<void> => {
  const selection = await selectionOf(log.store, options);
  const { scope, after = 0, isMeant } = selection;
  const to = Math.min(selection.to, await endOf(log.store));
  await recordAccess(log, { scope: `streams of ${scope}`, from: after, to }, options);
  const begins = (event: LogEvent) =>
    event.revision === 0 && isProven(event.stream) && isMeant(event);
  const { events, cursor } = await take(log, { ...selection, to, isMeant: begins });
  for (const { stream, position, data } of events) {
    const last = await log.store.last(stream);
    const length = (last?.revision ?? 0) + 1;
    const [began, ended] = [data['at'], last?.data['at']].map((at) =>
      typeof at === 'string' ? at : '',
    );
    const row = { stream, events: length, position, last: last?.position, began, ended };
    const line = `${stream}  ${length} events  ${began} to ${ended}`;
    console.log(options.json ? JSON.stringify(row) : line);
  }
  tellCursor(cursor);
};

/** The positions that `diff` compares, or the one of `state`. */
export const positionIn = (text: string | undefined, options: Options): number => {
  const position = text === undefined ? numberIn(options, 'at') : Number(text);
  if (position !== undefined && Number.isSafeInteger(position) && position >= 0) return position;
  throw new Error(`${text ?? ''} is no position of the log.`);
};
