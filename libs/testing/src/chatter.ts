import { receiptStreamOf, type Mark, type Origin, type Reaction, type ScriptaEvent } from '#domain';
import { linked, uuidOf, type Codec, type EventStore, type LogEvent } from '#platform';

/** An event, and the stream it belongs to. */
export type Said = Readonly<{ stream: string; event: ScriptaEvent }>;

/** Whole numbers below a bound. */
export type Draw = (below: number) => number;

/** Numbers from a seed (mulberry32): the same seed gives the same ones on every machine. */
export const drawing = (seed: number): Draw => {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
};

type Room = {
  id: string;
  kind: 'group' | 'broadcast';
  owner: string;
  members: Set<string>;
  seq: number;
  number: number;
  /** What was said and still stands. */
  standing: Readonly<{ messageId: string; messageSeq: number; by: string }>[];
};

/** How much is said, and by how many. */
export type ChatterOptions = Readonly<{
  seed: number;
  events: number;
  people?: number;
  rooms?: number;
}>;

/** In a hundred acts, so many are plain messages. */
const MESSAGES_PERCENT = 75;

/** A valid history in the order of a log: people, groups, comings and goings, messages, marks. */
class Chatter {
  readonly #draw: Draw;
  readonly #everyone: readonly string[];
  readonly #rooms: Room[] = [];
  count = 0;

  constructor(private readonly options: Required<ChatterOptions>) {
    this.#draw = drawing(options.seed);
    this.#everyone = Array.from({ length: options.people }, (_, n) => this.#id(`person:${n}`));
  }

  *people(): Generator<Said> {
    for (const [n, userId] of this.#everyone.entries()) {
      const stream = `user-${userId}`;
      const registered = { userId, phone: `+49151${n}`, name: `Person ${n}` };
      const data = { ...this.#stamp(userId), ...registered };
      yield { stream, event: { type: 'UserRegistered', data } };
      const device = { deviceId: this.#device(userId), name: 'Phone', platform: 'test' };
      const phone = { ...this.#stamp(userId), userId, ...device };
      yield { stream, event: { type: 'DeviceLinked', data: phone } };
    }
  }

  *rooms(): Generator<Said> {
    for (let n = 0; n < this.options.rooms; n += 1) {
      const [id, owner] = [this.#id(`room:${n}`), this.#pick(this.#everyone)];
      const kind = n % 5 === 4 ? 'broadcast' : 'group';
      const room: Room = {
        id,
        kind,
        owner,
        members: new Set([owner]),
        seq: -1,
        number: 0,
        standing: [],
      };
      this.#rooms.push(room);
      const started = { conversationId: id, kind, name: `Room ${n}` } as const;
      const data = { ...this.#stamp(owner), ...started };
      yield this.#in(room, { type: 'ConversationStarted', data });
      const others = this.#everyone.filter((userId) => userId !== owner && this.#draw(2) === 0);
      if (kind === 'group' && others.length > 0) yield this.#add(room, others);
    }
  }

  next(): Said {
    const room = this.#pick(this.#rooms);
    if (this.#draw(100) < MESSAGES_PERCENT) return this.#say(room);
    const act = this.#pick([
      () => this.#rename(room),
      () => this.#come(room),
      () => this.#go(room),
      () => this.#promote(room),
      () => this.#mark(room),
      () => this.#edit(room),
      () => this.#delete(room),
      () => this.#react(room),
      () => this.#invite(room),
      () => this.#request(room),
    ]);
    return act() ?? this.#say(room);
  }

  #say(room: Room): Said {
    const thread = this.#draw(8) === 0 ? this.#pickOf(room.standing) : undefined;
    if (!thread) room.number += 1;
    const { number, id: conversationId } = room;
    const stamp = this.#stamp(this.#pick([...room.members]));
    const text = `Message ${number} of many, about as long as a message usually is. 😀`;
    const messageId = this.#id(`message:${this.count}`);
    const passedOn = this.#draw(8) === 0 ? { author: this.#pick(this.#everyone), forwards: 1 } : {};
    const hung = thread ? { thread: thread.messageId, threadBy: thread.by } : {};
    const called = number % 3 === 0 ? { mentions: [stamp.by] } : {};
    const said = { messageId, number, text, ...passedOn, ...hung, ...called };
    const data = { ...stamp, conversationId, ...said };
    room.standing.push({ messageId, messageSeq: room.seq + 1, by: stamp.by });
    return this.#in(room, { type: 'MessageSent', data });
  }

  #edit(room: Room): Said | undefined {
    const found = room.standing.at(-1 - this.#draw(40));
    if (!found) return undefined;
    const { by, ...message } = found;
    const text = `Edited ${this.count}`;
    const data = { ...this.#stamp(by), conversationId: room.id, ...message, text };
    return this.#in(room, { type: 'MessageEdited', data });
  }

  #delete(room: Room): Said | undefined {
    const [found] = room.standing.splice(this.#draw(room.standing.length), 1);
    if (!found) return undefined;
    const { by, ...message } = found;
    const data = { ...this.#stamp(by), conversationId: room.id, ...message };
    return this.#in(room, { type: 'MessageDeleted', data });
  }

  #rename(room: Room): Said {
    const stamp = this.#stamp(this.#pick([...room.members]));
    const data = { ...stamp, conversationId: room.id, name: `Renamed ${this.count}` };
    return this.#in(room, { type: 'ConversationRenamed', data });
  }

  #come(room: Room): Said | undefined {
    const userId = this.#pick(this.#everyone);
    if (room.kind === 'group')
      return room.members.has(userId) ? undefined : this.#add(room, [userId]);
    const data = { ...this.#stamp(userId), conversationId: room.id, userId };
    return { stream: `audience-${room.id}`, event: { type: 'BroadcastFollowed', data } };
  }

  #go(room: Room): Said | undefined {
    const userId = this.#pick(this.#everyone);
    if (room.kind === 'broadcast') {
      const data = { ...this.#stamp(userId), conversationId: room.id, userId };
      return { stream: `audience-${room.id}`, event: { type: 'BroadcastUnfollowed', data } };
    }
    if (userId === room.owner || !room.members.delete(userId)) return undefined;
    const isLeaving = this.#draw(2) === 0;
    const stamp = this.#stamp(isLeaving ? userId : room.owner);
    const data = { ...stamp, conversationId: room.id, userId };
    return this.#in(room, { type: isLeaving ? 'MemberLeft' : 'MemberRemoved', data });
  }

  #promote(room: Room): Said | undefined {
    const userId = this.#pick([...room.members]);
    if (userId === room.owner) return undefined;
    const role = this.#pick(['admin', 'member'] as const);
    const data = { ...this.#stamp(room.owner), conversationId: room.id, userId, role };
    return this.#in(room, { type: 'RoleChanged', data });
  }

  /** A tick of marks; some lie behind others of the same member that came before. */
  #mark(room: Room): Said | undefined {
    const readers = [...room.members].filter(() => this.#draw(3) === 0);
    const marks = readers.map((userId): Mark => {
      const [kind, seq] = [this.#draw(2), this.#draw(room.seq + 1)];
      return [room.id, userId, this.#device(userId), kind, seq, kind === 1 ? room.number : 0];
    });
    if (marks.length === 0) return undefined;
    const { at } = this.#stamp(room.owner);
    return { stream: receiptStreamOf(room.id), event: { type: 'MarksMoved', data: { at, marks } } };
  }

  #invite(room: Room): Said {
    const inviteId = this.#id(`invite:${this.count}`);
    const data = { ...this.#stamp(room.owner), conversationId: room.id, inviteId };
    return this.#in(room, { type: 'InviteCreated', data: { ...data, approval: 'no' } });
  }

  #request(room: Room): Said | undefined {
    const userId = this.#pick(this.#everyone);
    if (room.members.has(userId)) return undefined;
    const data = { ...this.#stamp(userId), conversationId: room.id, userId };
    return this.#in(room, { type: 'JoinRequested', data });
  }

  /** A tick of reactions; some are taken away, and some are to what was deleted meanwhile. */
  #react(room: Room): Said | undefined {
    const found = room.standing.at(-1 - this.#draw(40));
    if (!found) return undefined;
    const { messageId, messageSeq } = found;
    const reactions = [...room.members].map((userId): Reaction => {
      const emoji = this.#pick(['👍', '🎉', '']);
      return [room.id, userId, messageId, messageSeq, emoji];
    });
    const { at } = this.#stamp(room.owner);
    const data = { at, reactions };
    return { stream: receiptStreamOf(room.id), event: { type: 'ReactionsSet', data } };
  }

  #add(room: Room, members: readonly string[]): Said {
    for (const userId of members) room.members.add(userId);
    const data = { ...this.#stamp(room.owner), conversationId: room.id, members };
    return this.#in(room, { type: 'MembersAdded', data: { ...data, role: 'member' } });
  }

  #in(room: Room, event: ScriptaEvent): Said {
    room.seq += 1;
    return { stream: `conversation-${room.id}`, event };
  }

  #stamp(by: string): Readonly<{ by: string; at: string; origin: Origin }> {
    this.count += 1;
    const at = new Date(Date.UTC(2026, 0, 1) + 1_000 * this.count).toISOString();
    const [command, device] = [this.#id(`command:${this.count}`), this.#device(by)];
    return { by, at, origin: { command, device, n: this.count } };
  }

  #pickOf<T>(from: readonly T[]): T | undefined {
    return from[this.#draw(from.length)];
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[this.#draw(from.length)];
    if (found === undefined) throw new Error('There is nothing to pick from.');
    return found;
  }

  #device(userId: string): string {
    return uuidOf(`device:${userId}`);
  }

  #id(name: string): string {
    return uuidOf(`chatter:${this.options.seed}:${name}`);
  }
}

/** A valid history of about so many events; the same seed gives the same. */
export function* chatterOf(options: ChatterOptions): Generator<Said> {
  const chatter = new Chatter({ people: 12, rooms: 6, ...options });
  yield* chatter.people();
  yield* chatter.rooms();
  while (chatter.count < options.events) yield chatter.next();
}

/** An event's id is the message's, or made of its place in what is said. */
const idOf = ({ event }: Said, index: number): string =>
  event.type === 'MessageSent' ? event.data.messageId : uuidOf(`said:${index}:${event.data.at}`);

/** Appends what is said in its order, and gives how much it was. */
export const append = async (
  store: EventStore,
  codec: Codec,
  chatter: Iterable<Said>,
): Promise<number> => {
  const log = await logged(codec, chatter);
  for (const { stream, revision: _revision, position: _position, ...event } of log)
    await store.append(stream, 'any', [event]);
  return log.length;
};

/** The same as it would come out of a log, without one. */
export const logged = async (
  codec: Codec,
  chatter: Iterable<Said>,
): Promise<readonly LogEvent[]> => {
  const heads = new Map<string, Readonly<{ revision: number; link: string }>>();
  const events: LogEvent[] = [];
  for (const said of chatter) {
    const { stream } = said;
    const id = idOf(said, events.length + 1);
    const event = await codec.encode(said.event, { id, correlationId: id, causationId: id });
    const head = heads.get(stream) ?? { revision: -1, link: '' };
    const revision = head.revision + 1;
    const chain = stream.startsWith('conversation-')
      ? linked([event], head.link, revision)
      : { events: [event], head: '' };
    heads.set(stream, { revision, link: chain.head });
    for (const next of chain.events)
      events.push({ ...next, stream, revision, position: 100 * (events.length + 1) });
  }
  return events;
};
