import { createHash } from 'node:crypto';
import { Scripta } from '#client';
import { uuidOf } from '#platform';
import { progress } from '../terminal/progress.js';
import type { Message } from './formats.js';

/** Logins under way at once: enough to keep two cores busy. */
const LOGINS_AT_ONCE = 16;
/** A login is tried again while a part of the platform is being started. */
const LOGIN_TRIES_MAX = 20;
const RETRY_MS = 500;

/** A message as a device was shown it. */
export type Shown = Readonly<{ messageId: string; seq: number; text: string }>;

/** An author, on one device of theirs. */
export type Actor = Readonly<{
  name: string;
  userId: string;
  client: Scripta;
  /** What the device was shown, by conversation, in the order in which it came. */
  shown: Map<string, Shown[]>;
}>;

/** Where a platform is, and the test numbers it knows. */
export type Stage = Readonly<{
  url: string | Readonly<{ rest: string; socket: string }>;
  prefix: string;
  code: string;
}>;

/** Ten digits after +1, the same for the same author: `prefix` and digits of a hash. */
const phoneOf = (prefix: string, author: string): string => {
  const digits = BigInt(`0x${createHash('sha256').update(author).digest('hex')}`).toString();
  return prefix + digits.slice(0, Math.max(0, '+12345678901'.length - prefix.length));
};

/** Calls for each item, a bounded number at once. */
export const inTurns = async <T>(
  items: readonly T[],
  atOnce: number,
  call: (item: T) => Promise<void>,
): Promise<void> => {
  const queue = items.values();
  const work = async (): Promise<void> => {
    for (const item of queue) await call(item);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
};

const logIn = async (client: Scripta, { prefix, code }: Stage, name: string): Promise<string> => {
  for (let tries = 1; ; tries += 1) {
    try {
      const { requestId } = await client.requestCode(phoneOf(prefix, name));
      const device = { id: uuidOf(`replay:device:${name}`), name: 'replay', platform: 'node' };
      return (await client.login({ requestId, code, name, device })).userId;
    } catch (error) {
      if (tries === LOGIN_TRIES_MAX || (error instanceof Error && /code/iu.test(error.message)))
        throw new Error(
          `${name} cannot log in. The platform has to know the test numbers ${prefix}:${code} ` +
            '(its setting TEST_NUMBERS), and must not limit logins (RATE_LIMIT_COMMANDS=false).',
          { cause: error },
        );
      await new Promise((resolve) => {
        setTimeout(resolve, RETRY_MS);
      });
    }
  }
};

const enter = async (stage: Stage, name: string): Promise<Actor> => {
  const client = new Scripta({ url: stage.url });
  const shown = new Map<string, Shown[]>();
  client.on('message.sent', ({ conversationId, seq, data: { messageId, text } }) => {
    const list = shown.get(conversationId) ?? [];
    if (list.length === 0) shown.set(conversationId, list);
    list.push({ messageId, seq, text });
  });
  const userId = await logIn(client, stage, name);
  await client.connect();
  return { name, userId, client, shown };
};

/** Registers every author and connects a device of each. */
export const gather = async (
  stage: Stage,
  messages: readonly Message[],
): Promise<ReadonlyMap<string, Actor>> => {
  const names = [...new Set(messages.map(({ author }) => author))];
  const cast = new Map<string, Actor>();
  const shown = progress('Log in', names.length);
  await inTurns(names, LOGINS_AT_ONCE, async (name) => {
    cast.set(name, await enter(stage, name));
    shown.step();
  });
  shown.end();
  return cast;
};
