import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openPorts } from '#commands';
import { readConfig } from '#platform';
import { isGiven, startPlatform, until, type Platform } from '#testing';
import { connectBare, type Answer, type Bare } from '../socket/wire.js';
import { ask, someone, type Someone } from './someone.js';

/** More than any cache of the log's server, or of a process, remembers (decision 7). */
const OTHERS = 100_000;
const AT_ONCE = 1_000;
/** More than the results that a conversation's state keeps for a device, and than one snapshot. */
const LATER = 120;

let platform: Platform;
let ada: Someone;
let ben: Someone;
let conversationId: string;
beforeAll(async () => {
  platform = await startPlatform();
  [ada, ben] = [await someone(platform, 'Ada'), await someone(platform, 'Ben')];
  await ada.client.connect();
  ({ conversationId } = await ada.client.startGroup({ name: 'Choir', members: [ben.userId] }));
});
afterAll(async () => {
  await ada?.client.close();
  await platform?.stop();
});

/** The log forgets nothing, but whoever remembers only the latest does. */
const muchHappens = async (): Promise<void> => {
  const { ports, close } = await openPorts(readConfig(platform.settings));
  const stream = `test-${randomUUID()}`;
  for (let done = 0; done < OTHERS; done += AT_ONCE) {
    const events = Array.from({ length: AT_ONCE }, () => ({
      id: randomUUID(),
      type: 'Happened',
      data: { what: 'x'.repeat(64) },
      metadata: {},
    }));
    await ports.store.append(stream, 'any', events);
  }
  await close();
};

const answered = z.object({
  messageId: z.string(),
  seq: z.number(),
  number: z.number(),
  at: z.string(),
});

const post = async (key: string, text: string): Promise<{ body: unknown }> => {
  const path = `/v1/conversations/${conversationId}/messages`;
  const answer = await fetch(`${platform.url.rest}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ben.token}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify({ text }),
  });
  return { body: await answer.json() };
};

const connected = () => connectBare(platform.url.socket, ben.token);

const emit = ({ ask: asking }: Bare, id: string, n: number, text: string): Promise<Answer> =>
  asking('message.send', { v: 1, id, n, data: { conversationId, text } });

/** Messages of the conversation, as its list shows them. */
const stored = async (): Promise<number> => {
  const path = `/v1/conversations/${conversationId}`;
  const { body } = await ask(platform, ada, path);
  return z.object({ number: z.number() }).parse(body).number;
};

describe('[Z3] [V3] a command that comes again', () => {
  const [byRest, bySocket] = [randomUUID(), randomUUID()];
  let first: Record<'rest' | 'socket', z.infer<typeof answered>>;

  const expectTheSame = async (): Promise<void> => {
    const bare = await connected();
    const again = await post(byRest, 'by REST');
    expect(again.body).toMatchObject(first.rest);
    const repeat = await emit(bare, bySocket, 1, 'by socket');
    expect(repeat).toMatchObject({ ok: true, duplicate: true, data: first.socket });
    expect((await post(byRest, 'something else')).body).toMatchObject({ code: 'id_reused' });
    const reused = await emit(bare, bySocket, 1, 'something else');
    expect(reused).toMatchObject({ ok: false, error: { code: 'id_reused', retryable: false } });
    bare.socket.disconnect();
    // Through the other door: another process with a memory of its own.
    expect((await post(bySocket, 'by socket')).body).toMatchObject(first.socket);
    expect((await post(bySocket, 'something else')).body).toMatchObject({ code: 'id_reused' });
  };

  it('is answered as the first time, through either door', async () => {
    const bare = await connected();
    first = {
      rest: answered.parse((await post(byRest, 'by REST')).body),
      socket: answered.parse((await emit(bare, bySocket, 1, 'by socket')).data),
    };
    bare.socket.disconnect();
    await expectTheSame();
    await until(async () => (await stored()) === 2);
  });

  it(`so it is ${OTHERS} events later, and ${LATER} of its own conversation`, async () => {
    await muchHappens();
    const bare = await connected();
    for (let n = 2; n < 2 + LATER; n++) await emit(bare, randomUUID(), n, `later ${n}`);
    bare.socket.disconnect();
    await expectTheSame();
    await until(async () => (await stored()) === 2 + LATER);
  });

  it.skipIf(isGiven('event-store') || isGiven('document-store'))(
    'so it is after every process was killed and has come back',
    async () => {
      for (const name of ['realtime', 'command-api', 'projector'] as const)
        await platform.kill(name);
      for (const name of ['document-store', 'event-store'] as const) await platform.kill(name);
      for (const name of ['event-store', 'document-store'] as const) await platform.start(name);
      for (const name of ['projector', 'command-api', 'realtime'] as const)
        await platform.start(name);
      await expectTheSame();
      expect(await stored()).toBe(2 + LATER);
    },
  );
});
