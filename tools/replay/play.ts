import { ScriptaError } from '#client';
import { uuidOf } from '#platform';
import { progress } from '../terminal/progress.js';
import type { Actor } from './cast.js';
import type { Message } from './formats.js';

/** A read that finds the platform away this often, about 5 s each time, gives up. */
const READ_TRIES_MAX = 12;

/** A message and what the platform answered. */
export type Played = Readonly<{
  message: Message;
  messageId: string;
  seq: number;
  number: number;
  position: string;
  /** It had been sent by an earlier run; a repeat within this run is not meant. */
  isOld: boolean;
}>;

/** A room of the file as a group of its authors. */
export type Room = Readonly<{
  name: string;
  conversationId: string;
  members: readonly Actor[];
  played: readonly Played[];
}>;

/** The id of a message, the same in every run. */
const idOf = ({ room, id }: Message): string => uuidOf(`replay:message:${room}:${id}`);

/** A read gives up after some tries; a part that is being started again may need longer. */
const patiently = async <T>(read: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read();
    } catch (error) {
      if (tries === READ_TRIES_MAX || !(error instanceof ScriptaError) || !error.retryable)
        throw error;
    }
  }
};

const playRoom = async (
  name: string,
  messages: readonly Message[],
  cast: ReadonlyMap<string, Actor>,
  step: () => void,
): Promise<Room> => {
  const names = [...new Set(messages.map(({ author }) => author))];
  const members = names.flatMap((author) => cast.get(author) ?? []);
  const [founder, ...others] = members;
  if (!founder) throw new Error(`${name} has no author.`);
  const conversationId = uuidOf(`replay:room:${name}`);
  const group = { conversationId, name, members: others.map(({ userId }) => userId) };
  const { position: minPosition } = await founder.client.startGroup(
    group,
    uuidOf(`replay:start:${name}`),
  );
  const { head } = await patiently(() =>
    founder.client.conversation(conversationId, { minPosition }),
  );
  const played: Played[] = [];
  for (const message of messages) {
    const author = cast.get(message.author);
    if (!author) continue;
    // The next message waits for this one's acknowledgement: so the file's order is the room's.
    const sent = await author.client.send(conversationId, message.text, { id: idOf(message) });
    const { messageId, seq, number, position } = sent;
    played.push({ message, messageId, seq, number, position, isOld: seq <= head });
    step();
  }
  return { name, conversationId, members, played };
};

/** Sends every message as its author: in order within a room, rooms side by side. */
export const play = async (
  messages: readonly Message[],
  cast: ReadonlyMap<string, Actor>,
): Promise<readonly Room[]> => {
  const rooms = Map.groupBy(messages, ({ room }) => room);
  const shown = progress('Send', messages.length);
  const played = await Promise.all(
    [...rooms].map(([name, said]) => playRoom(name, said, cast, shown.step)),
  );
  shown.end();
  return played;
};
