import { empties, shared, streams, type ReadReq } from './eventstoredb-messages.js';

/** Events considered between two checkpoints: one message for 256 that are not for a subscriber. */
const WINDOW = 32;
const CHECKPOINT_INTERVAL = 8;

const empty = new empties.Empty();
const { BACKWARDS, FORWARDS } = streams.ReadReq.Options.ReadDirection;

/**
 * Where a read of the whole log begins: a position (its event is included going forwards) or an
 * end.
 */
export type From = number | 'start' | 'end';

type Options = ReadReq.Options;

const requestWith = (options: Options): ReadReq => {
  const uuids = new streams.ReadReq.Options.UUIDOption();
  uuids.setString(empty);
  options.setUuidOption(uuids);
  options.setResolveLinks(false);
  const request = new streams.ReadReq();
  request.setOptions(options);
  return request;
};

const optionsOfAll = (from: From): Options => {
  const all = new streams.ReadReq.Options.AllOptions();
  if (from === 'start') all.setStart(empty);
  else if (from === 'end') all.setEnd(empty);
  else {
    const place = new streams.ReadReq.Options.Position();
    place.setCommitPosition(String(from));
    place.setPreparePosition(String(from));
    all.setPosition(place);
  }
  const options = new streams.ReadReq.Options();
  options.setAll(all);
  return options;
};

const filterBy = (options: Options, prefixes: readonly string[] | undefined): void => {
  if (!prefixes || prefixes.includes('')) {
    options.setNoFilter(empty);
    return;
  }
  const expression = new streams.ReadReq.Options.FilterOptions.Expression();
  expression.setPrefixList([...prefixes]);
  const filter = new streams.ReadReq.Options.FilterOptions();
  filter.setStreamIdentifier(expression);
  filter.setMax(WINDOW);
  filter.setCheckpointintervalmultiplier(CHECKPOINT_INTERVAL);
  options.setFilter(filter);
};

/** Reads at most `count` events of one stream. */
export const streamRequest = (name: string, from: number | 'end', count: number): ReadReq => {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(name, 'utf8'));
  const stream = new streams.ReadReq.Options.StreamOptions();
  stream.setStreamIdentifier(identifier);
  if (from === 'end') stream.setEnd(empty);
  else stream.setRevision(String(from));
  const options = new streams.ReadReq.Options();
  options.setStream(stream);
  options.setNoFilter(empty);
  options.setCount(String(count));
  // Only the end is read backwards: it is where the last events are.
  options.setReadDirection(from === 'end' ? BACKWARDS : FORWARDS);
  return requestWith(options);
};

/** Reads at most `count` events of the whole log, or of the streams that begin with a prefix. */
export const allRequest = (from: From, count: number, prefixes?: readonly string[]): ReadReq => {
  const options = optionsOfAll(from);
  filterBy(options, prefixes);
  options.setCount(String(count));
  options.setReadDirection(from === 'end' ? BACKWARDS : FORWARDS);
  return requestWith(options);
};

/** Follows the streams that begin with a prefix, after a position. */
export const subscriptionRequest = (
  prefixes: readonly string[],
  after: number | undefined,
): ReadReq => {
  const options = optionsOfAll(after ?? 'start');
  filterBy(options, prefixes);
  options.setSubscription(new streams.ReadReq.Options.SubscriptionOptions());
  return requestWith(options);
};
