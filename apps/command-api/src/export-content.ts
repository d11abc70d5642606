import type { Ports } from '#commands';
import type { Recorded, ScriptaEvent } from '#domain';
import {
  pagesOf,
  QUERIES,
  SPANS,
  streamsOf,
  UnreadableEvent,
  type LogEvent,
  type ViewQuery,
} from '#platform';

/** What an export says of itself, as its first member. */
const ABOUT = {
  person: 'whose data this is',
  account: 'the account as it now is: name, devices, settings, whom one blocks',
  places: 'conversations one is or was in, with the stays as positions of the log',
  marks: 'how far one has read, and what reached which device',
  connections: 'the ledger of deliveries: when devices were connected and what they acknowledged',
  events:
    'everything the log holds that was done by the person or about them, stream by stream: ' +
    'own account, messages, comings and goings; times are RFC 3339',
};

/** Documents of one kind at most; a person has far fewer. */
const DOCUMENTS_MAX = 100_000;

const found = async (ports: Ports, { view, ...query }: ViewQuery): Promise<readonly object[]> =>
  ports.views.find<object>(view, query);

/** What of an export is not read from the log: text of the document up to the list of events. */
export const headOf = async (ports: Ports, userId: string, createdAt: string): Promise<string> => {
  const [account] = await ports.views.get<object>('users', [userId]);
  const places = await found(ports, QUERIES.placesOf(userId, DOCUMENTS_MAX));
  const always = { from: -1, to: Number.MAX_SAFE_INTEGER };
  const marks = await found(ports, QUERIES.ownReceiptsMoved(userId, always, DOCUMENTS_MAX));
  const connections = await ports.operations.find<object>(SPANS, {
    filter: { userId },
    limit: DOCUMENTS_MAX,
  });
  const head = {
    v: 1,
    about: ABOUT,
    person: userId,
    createdAt,
    account,
    places,
    marks,
    connections,
  };
  return `${JSON.stringify(head).slice(0, -1)},"events":[`;
};

/** The end of the document. */
export const TAIL = '\n]}\n';

/** The streams whose events are looked through, in the order of their names. */
export const streamsFor = async (ports: Ports, userId: string): Promise<readonly string[]> =>
  (await streamsOf(ports.views, userId)).toSorted();

const concerns = ({ data }: Recorded<ScriptaEvent>, userId: string): boolean =>
  ('by' in data && data.by === userId) ||
  ('userId' in data && data.userId === userId) ||
  ('members' in data && data.members.includes(userId));

const concernsFrame = ({ data }: LogEvent, userId: string): boolean =>
  data['by'] === userId || data['userId'] === userId;

const frameOf = ({ stream, revision, position, id, type }: LogEvent): object => ({
  stream,
  revision,
  position,
  id,
  type,
  unreadable: true,
});

const lineOf = (event: Recorded<ScriptaEvent>): object => {
  const { id, stream, revision, position, type, data } = event;
  return { stream, revision, position, id, type, data };
};

/** The events of a page of a stream that are a person's or about them, as lines of the document. */
export const linesOf = async (
  { codec }: Ports,
  page: readonly LogEvent[],
  userId: string,
): Promise<readonly string[]> => {
  const lines = await Promise.all(
    page.map(async (logged) => {
      try {
        const event = await codec.decode(logged, true);
        return concerns(event, userId) ? lineOf(event) : undefined;
      } catch (error) {
        if (!(error instanceof UnreadableEvent)) throw error;
        // It waits for a version that reads it; until then only its place can be told.
        return concernsFrame(logged, userId) ? frameOf(logged) : undefined;
      }
    }),
  );
  return lines.flatMap((line) => (line ? [JSON.stringify(line)] : []));
};

/** Pages of a stream. */
export const pagesIn = ({ store }: Ports, stream: string) =>
  pagesOf(store, stream, { after: -1, upTo: Number.MAX_SAFE_INTEGER });
