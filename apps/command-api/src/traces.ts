import { Inject, Injectable } from '@nestjs/common';
import {
  reject,
  type MemberView,
  type Origin,
  type Recorded,
  type ScriptaEvent,
  type StoredEntry,
  type UserView,
} from '#domain';
import { PORTS, type Ports } from '#commands';
import { eventIdOf, QUERIES, type LogEvent } from '#platform';
import { Deliveries, type MemberDelivery } from './deliveries.js';
import type { Page } from './inbox.js';

/** Ids asked of the history at once. */
const IDS_PER_READ = 1_000;
/** Events of one command: the largest adds 1,000 members in pieces. */
const EVENTS_PER_COMMAND_MAX = 16;
/** Events after a command's in which what it caused is looked for; policies react at once. */
const CAUSED_WITHIN = 500;
/** Streams in which something may be caused by something else. */
const CAUSED_STREAMS = ['conversation-', 'audience-', 'user-', 'claim-', 'own-'];
/** People of the first page of a message's deliveries. */
const DELIVERIES_MAX = 200;

/** An event, as a trace shows it: no texts. */
export type TracedEvent = Readonly<{
  id: string;
  type: string;
  stream: string;
  seq: number;
  position: string;
  at: string;
  correlationId: string;
  causationId: string;
}>;

/** Everything that a command caused. */
export type Trace = Readonly<{
  command: Readonly<{ id: string; actor: string; device?: string; n?: number }>;
  events: readonly (TracedEvent &
    Readonly<{
      /** Events that policies added because of it. */
      caused: readonly TracedEvent[];
      /** Of a message: the first page of whom it reached, with every attempt, mark and time. */
      deliveries?: Page<MemberDelivery>;
    }>)[];
}>;

const tracedOf = (event: Recorded<ScriptaEvent>): TracedEvent => {
  const { id, type, stream, revision: seq, position, correlationId, causationId, data } = event;
  const { at } = data;
  return { id, type, stream, seq, position: String(position), at, correlationId, causationId };
};

const originOf = (data: object): Origin | undefined =>
  // Events that people cause bear a stamp; marks do not.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  'origin' in data ? (data.origin as Origin) : undefined;

/** From a command to the events, receipts and attempts that came of it. */
@Injectable()
export class Traces {
  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly deliveries: Deliveries,
  ) {}

  /** The trace of a command of this person; `not_found` where none of theirs has left anything. */
  async of(userId: string, commandId: string, conversationId?: string): Promise<Trace> {
    const first =
      (await this.#inConversations(userId, commandId, conversationId)) ??
      (await this.#inOwnStream(userId, commandId));
    return first
      ? this.from(first, commandId)
      : reject('not_found', 'No command of yours with this id has left anything.');
  }

  /** The trace that begins with a command's first event. */
  async from(first: LogEvent, commandId: string): Promise<Trace> {
    const { store } = this.ports;
    const page = await store.read(first.stream, first.revision, EVENTS_PER_COMMAND_MAX);
    const events = await this.#decoded(page);
    const own = events.filter(({ data }) => originOf(data)?.command === commandId);
    const later = await store.readAll(CAUSED_STREAMS, first.position, CAUSED_WITHIN);
    const ids = new Set(own.map(({ id }) => id));
    const caused = await this.#decoded(
      later.filter(({ metadata }) => ids.has(String(metadata['$causationId']))),
    );
    const origin = own[0] && originOf(own[0].data);
    const actor = own[0] && 'by' in own[0].data ? own[0].data.by : '';
    return {
      command: {
        id: commandId,
        actor,
        ...(origin?.device === undefined ? {} : { device: origin.device }),
        ...(origin?.n === undefined ? {} : { n: origin.n }),
      },
      events: await Promise.all(
        own.map(async (event) => ({
          ...tracedOf(event),
          caused: caused.filter(({ causationId }) => causationId === event.id).map(tracedOf),
          ...(await this.#deliveriesOf(event)),
        })),
      ),
    };
  }

  async #deliveriesOf(event: Recorded<ScriptaEvent>) {
    if (event.type !== 'MessageSent') return {};
    const [message] = await this.ports.views.get<StoredEntry>('history', [event.id]);
    return message ? { deliveries: await this.deliveries.page(message, DELIVERIES_MAX) } : {};
  }

  /** An event's id follows from stream, device and command: so no index by command is needed. */
  async #inConversations(
    userId: string,
    commandId: string,
    conversationId: string | undefined,
  ): Promise<LogEvent | undefined> {
    const { views, store } = this.ports;
    const [person] = await views.get<UserView>('users', [userId]);
    const devices = (person?.devices ?? []).map(({ deviceId }) => deviceId);
    const conversations =
      conversationId === undefined ? await this.#placesOf(userId) : [conversationId];
    const streams = conversations.flatMap((id) => [`conversation-${id}`, `audience-${id}`]);
    const ids = streams.flatMap((stream) =>
      devices.map((device) => eventIdOf(stream, device, commandId)),
    );
    for (let at = 0; at < ids.length; at += IDS_PER_READ) {
      const found = await views.get<StoredEntry>('history', ids.slice(at, at + IDS_PER_READ));
      const entry = found.find(({ actor }) => actor === userId);
      if (entry) return store.at(entry.place);
    }
    return undefined;
  }

  async #placesOf(userId: string): Promise<readonly string[]> {
    const { view, ...query } = QUERIES.placesOf(userId);
    const places = await this.ports.views.find<MemberView>(view, query);
    return places.map(({ conversationId }) => conversationId);
  }

  async #inOwnStream(userId: string, commandId: string): Promise<LogEvent | undefined> {
    const events = await this.ports.store.read(`user-${userId}`, 0);
    return events.find(({ data }) => originOf(data)?.command === commandId);
  }

  async #decoded(events: readonly LogEvent[]): Promise<Recorded<ScriptaEvent>[]> {
    return Promise.all(events.map(async (event) => this.ports.codec.decode(event, false)));
  }
}
