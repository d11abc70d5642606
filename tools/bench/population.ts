import { randomUUID } from 'node:crypto';
import { conversation, type ConversationEvent, type ScriptaEvent } from '#domain';
import {
  AccessTokens,
  directConversationOf,
  EventStoreDb,
  JsonCodec,
  linked,
  LocalKeys,
  readConfig,
  SystemClock,
  SystemRandom,
  type EventStore,
  type NewEvent,
} from '#platform';
import type { Platform } from '../start/platform.js';

/** Appends under way at once while a platform is being filled. */
const APPENDS_AT_ONCE = 64;
/** Messages of one append: about 150 KiB, a seventh of what EventStoreDB takes. */
const MESSAGES_PER_APPEND = 200;
/** Read models have to come up to what was filled in within this (ms). */
const CATCH_UP_MS_MAX = 900_000;
const LOOK_MS = 100;

/** A person with one device, and the right to connect. */
export type Person = Readonly<{ userId: string; deviceId: string; token: string }>;

/** The largest lag of a read model, and whether all of them hold all that the log has. */
export const lagOf = async (platform: Platform): Promise<{ lagMs: number; isUp: boolean }> => {
  const answer = await fetch(`${platform.urls.projector}/lag`);
  // The projector's own answer, by view; anything else throws below.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const views = Object.values((await answer.json()) as Record<string, Record<string, number>>);
  const lags = views.map(({ lagMs }) => lagMs ?? Number.NaN);
  if (!answer.ok || lags.length === 0 || lags.some((lag) => Number.isNaN(lag)))
    throw new Error(`The projector does not tell its lag (${answer.status}).`);
  const isUp = views.every(({ position = -1, head = 0 }) => position >= head);
  return { lagMs: Math.max(...lags), isUp };
};

/** Waits until the read models hold everything. */
export const caughtUp = async (platform: Platform): Promise<void> => {
  const endMs = performance.now() + CATCH_UP_MS_MAX;
  while (!(await lagOf(platform)).isUp) {
    if (performance.now() > endMs) throw new Error('The read models do not come up to the log.');
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
};

/** No limits, and tokens that outlive a run: the generator changes none. */
export const BENCH_SETTINGS = {
  RATE_LIMIT_COMMANDS: 'false',
  ACCESS_TOKEN_TTL_S: '86400',
} as const;

/** Fills a platform with valid events, sealed and appended as its own processes do it. */
export class Population {
  readonly #store: EventStore;
  readonly #keys: LocalKeys;
  readonly #codec: JsonCodec;
  readonly #tokens: AccessTokens;
  readonly #clock = new SystemClock();

  private constructor(store: EventStore, keys: LocalKeys, ttlS: number) {
    this.#store = store;
    this.#keys = keys;
    this.#codec = new JsonCodec(keys, new SystemRandom());
    this.#tokens = new AccessTokens(keys, this.#clock, ttlS);
  }

  /** Opens the log and the keys of a platform that runs. */
  static async open({ settings }: Platform): Promise<Population> {
    const config = readConfig(settings);
    const folder = { dataDir: config.DATA_DIR, masterKey: config.MASTER_KEY };
    const keys = await LocalKeys.open(folder, new SystemClock());
    const store = new EventStoreDb(config.EVENTSTORE_URL);
    return new Population(store, keys, config.ACCESS_TOKEN_TTL_S);
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#keys.close();
  }

  /** Registers people, each with a device. */
  async people(count: number): Promise<readonly Person[]> {
    return this.#each(
      Array.from({ length: count }, (_, at) => at),
      async (at) => {
        const [userId, deviceId] = [randomUUID(), randomUUID()];
        const phone = `+1555${String(at).padStart(7, '0')}`;
        const device = { userId, deviceId, name: 'bench', platform: 'node' };
        await this.#append(`user-${userId}`, -1, [
          { type: 'UserRegistered', data: { ...this.#by(userId), userId, phone, name: `P ${at}` } },
          { type: 'DeviceLinked', data: { ...this.#by(userId), ...device } },
        ]);
        const { token } = await this.#tokens.issue({ userId, deviceId, sessionId: randomUUID() });
        return { userId, deviceId, token };
      },
    );
  }

  /** Seats people in groups, or two by two; gives each conversation's id. */
  async rooms(
    rooms: readonly (readonly Person[])[],
    kind: 'direct' | 'group',
  ): Promise<readonly string[]> {
    return this.#each(rooms, async (people) => {
      const { conversationId, events } = this.#founded(people, kind);
      const opening = linked(await this.#sealed(events), '', 0);
      await this.#store.append(`conversation-${conversationId}`, -1, opening.events);
      return conversationId;
    });
  }

  /**
   * Messages in a new conversation of its people, one after the other, and the snapshot that the
   * command handlers would have left (libs/commands, loading).
   */
  async history(people: readonly Person[], count: number): Promise<string> {
    const { conversationId, events: opening } = this.#founded(people, 'group');
    const stream = `conversation-${conversationId}`;
    const state = conversation.initial();
    const fold = (event: ConversationEvent) => conversation.evolve(state, event, state.head + 1);
    opening.forEach(fold);
    const begun = linked(await this.#sealed(opening), '', 0);
    let link = begun.head;
    let appending = this.#store.append(stream, -1, begun.events);
    for (let done = 0; done < count;) {
      const events: ConversationEvent[] = [];
      for (; events.length < MESSAGES_PER_APPEND && done < count; done += 1) {
        const author = people[done % people.length];
        if (author) events.push(this.#message(author, conversationId, done + 1));
      }
      events.forEach(fold);
      // Sealed while the ones before are on their way to the disk.
      const sealed = await this.#sealed(events);
      const { revision } = await appending;
      const chain = linked(sealed, link, revision + 1);
      link = chain.head;
      appending = this.#store.append(stream, revision, chain.events);
    }
    await this.#snapshot(stream, state, { ...(await appending), link });
    return conversationId;
  }

  #founded(
    [founder, ...others]: readonly Person[],
    kind: 'direct' | 'group',
  ): Readonly<{ conversationId: string; events: readonly ConversationEvent[] }> {
    if (!founder) throw new Error('A conversation needs somebody in it.');
    const members = others.map(({ userId }) => userId);
    const conversationId =
      kind === 'direct' ? directConversationOf(founder.userId, members[0] ?? '') : randomUUID();
    const by = this.#by(founder.userId);
    const name = kind === 'group' ? { name: 'Bench' } : {};
    const events: ConversationEvent[] = [
      { type: 'ConversationStarted', data: { ...by, conversationId, kind, ...name } },
      { type: 'MembersAdded', data: { ...by, conversationId, members, role: 'member' } },
    ];
    return { conversationId, events };
  }

  #message(author: Person, conversationId: string, number: number): ConversationEvent {
    const messageId = randomUUID();
    const { userId, deviceId: device } = author;
    const origin = { command: randomUUID(), device };
    const data = { ...this.#by(userId), origin, conversationId, messageId, number };
    return { type: 'MessageSent', data: { ...data, text: `Message ${number} of a history.` } };
  }

  async #snapshot(
    stream: string,
    state: ReturnType<typeof conversation.initial>,
    at: Readonly<{ revision: number; position: number; link: string }>,
  ): Promise<void> {
    if (!conversation.snapshots) return;
    const { version, freeze } = conversation.snapshots;
    const frozen: unknown = JSON.parse(JSON.stringify(freeze(state)));
    const data = { version, ...at, state: frozen };
    const event = { id: randomUUID(), type: 'StateFrozen', data, metadata: {} };
    await this.#store.keepLatest(`snapshot-${stream}`);
    await this.#store.append(`snapshot-${stream}`, 'any', [event]);
  }

  #by(userId: string) {
    return { by: userId, at: this.#clock.iso(), origin: { command: randomUUID() } };
  }

  #sealed(events: readonly ScriptaEvent[]): Promise<NewEvent[]> {
    return Promise.all(
      events.map((event) => {
        const id = event.type === 'MessageSent' ? event.data.messageId : randomUUID();
        return this.#codec.encode(event, { id, correlationId: id, causationId: id });
      }),
    );
  }

  async #append(stream: string, expected: number, events: readonly ScriptaEvent[]) {
    return this.#store.append(stream, expected, await this.#sealed(events));
  }

  async #each<Item, Made>(
    items: readonly Item[],
    make: (item: Item) => Promise<Made>,
  ): Promise<Made[]> {
    const made: Made[] = [];
    const queue = items.entries();
    const work = async (): Promise<void> => {
      for (const [at, item] of queue) made[at] = await make(item);
    };
    await Promise.all(Array.from({ length: APPENDS_AT_ONCE }, work));
    return made;
  }
}
