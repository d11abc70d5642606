import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { drawing, startPlatform, until, type Draw, type Platform } from '#testing';
import { someone, type Someone } from './someone.js';

const AUDIT = fileURLToPath(new URL('../../dist/tools/audit/main.js', import.meta.url));
const SEED = Number(process.env['SCRIPTA_SEED'] ?? 10);
const ACTS = 150;

const difference = z.object({
  userId: z.string(),
  conversationId: z.string(),
  log: z.number().optional(),
  shown: z.number().optional(),
});
const audited = z.object({
  people: z.number(),
  badges: z.number(),
  differences: z.array(difference),
  repaired: z.record(z.string(), z.number()).optional(),
  left: z.array(difference),
});
const explained = z.array(
  z.object({
    conversationId: z.string(),
    unread: z.number(),
    because: z.string(),
    messages: z.array(z.object({ messageId: z.string(), seq: z.number() })),
  }),
);

let platform: Platform;
let people: Someone[];
const rooms: string[] = [];
let mongo: MongoClient;

/** Runs the tool as an operator does, on the running platform. */
const audit = (...args: readonly string[]): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], ...platform.settings };
    execFile(process.execPath, [AUDIT, ...args], { env }, (error, stdout, stderr) => {
      const code = error ? Number(error.code ?? 1) : 0;
      resolve({ code, output: code > 1 ? stderr : stdout });
    });
  });

const badges = async (...args: readonly string[]) => {
  const { code, output } = await audit('badges', '--json', ...args);
  return { code, ...audited.parse(JSON.parse(output)) };
};

const one = <T>(among: readonly T[], draw: Draw): T => {
  const chosen = among[draw(among.length)];
  if (chosen === undefined) throw new Error('There is nobody.');
  return chosen;
};

/** Something somebody may do; what they may not is refused, and that is part of it. */
const act = async (draw: Draw): Promise<void> => {
  const [owner, ...others] = people;
  const [who, room] = [one(people, draw), one(rooms, draw)];
  const kind = draw(10);
  if (kind < 6) await who.client.send(room, `act ${kind}`);
  else if (kind < 8) await who.client.markRead(room, draw(30));
  else if (kind === 8) await one(others, draw).client.leave(room);
  else await owner?.client.addMembers(room, [who.userId]);
};

beforeAll(async () => {
  platform = await startPlatform();
  mongo = new MongoClient(platform.settings['MONGODB_URL'] ?? '');
  people = await Promise.all(['Ada', 'Ben', 'Eve', 'Zoe'].map((name) => someone(platform, name)));
  for (const { client } of people) await client.connect();
  const [owner, ...others] = people;
  const members = others.map(({ userId }) => userId);
  for (const name of ['One', 'Two', 'Three']) {
    const started = await owner?.client.startGroup({ name, members });
    rooms.push(started?.conversationId ?? '');
  }
  const draw = drawing(SEED);
  for (let count = 0; count < ACTS; count++) await act(draw).catch(() => undefined);
  // The last to read is told of messages that nobody has read.
  for (const room of rooms) await owner?.client.send(room, 'the last word');
}, 120_000);

afterAll(async () => {
  for (const { client } of people) await client.close();
  await mongo.close();
  await platform.stop();
});

describe('the audit of badges', () => {
  it(`[Z10] finds no difference after ${ACTS} acts (seed ${SEED})`, async () => {
    const { code, people: asked, badges: counted, differences } = await badges();
    expect(differences).toEqual([]);
    expect(asked).toBe(people.length);
    expect(counted).toBeGreaterThan(people.length);
    expect(code).toBe(0);
  });

  it('[Z10] says which messages make a badge, and why', async () => {
    const ben = people[1];
    const { items = [] } = (await ben?.client.conversations()) ?? {};
    const { output } = await audit('badges', '--json', '--explain', '--user', ben?.userId ?? '');
    const found = explained.parse(JSON.parse(output));
    const unread = items.filter((item) => item.unread > 0);
    expect(unread.length).toBeGreaterThan(0);
    for (const { conversationId, unread: badge } of unread) {
      const why = found.find((each) => each.conversationId === conversationId);
      expect(why).toMatchObject({ unread: badge });
      expect(why?.messages).toHaveLength(badge);
      expect(why?.because).toMatch(/the read mark is at seq|the stay began after/u);
    }
    expect(found).toHaveLength(unread.length);
  });

  it('[Z10] finds what was damaged, and replays the people whose badges are wrong', async () => {
    const views = mongo.db('views');
    const [ada, ben] = people;
    const [room = '', other = ''] = rooms;
    await views
      .collection<{ _id: string }>('receipts')
      .updateOne({ _id: `${room}:${ben?.userId}` }, { $set: { read: 999, readNumber: 999 } });
    await views
      .collection<{ _id: string }>('conversations')
      .updateOne({ _id: other }, { $inc: { number: 5 } });
    const found = await badges();
    expect(found.code).toBe(1);
    const wrong = found.differences.map((each) => `${each.conversationId}:${each.userId}`);
    expect(wrong).toContain(`${other}:${ada?.userId}`);

    const repaired = await badges('--repair');
    expect(repaired.differences.length).toBe(found.differences.length);
    expect(repaired).toMatchObject({ code: 0, left: [] });
    expect(repaired.repaired?.['conversations']).toBeGreaterThan(0);
    expect(await badges()).toMatchObject({ code: 0, differences: [] });
  });

  it('[Z10] goes on being right after a repair', async () => {
    const [ada] = people;
    const [room = ''] = rooms;
    const before = await ada?.client.conversation(room);
    const sent = await ada?.client.send(room, 'and on it goes');
    await until(
      async () =>
        (await ada?.client.conversation(room))?.head === sent?.seq && before !== undefined,
    );
    expect(await badges()).toMatchObject({ code: 0, differences: [] });
  });
});

describe('the audit of a message and of a command', () => {
  it('[Z4] [Z9] are there for an operator too', async () => {
    const [ada] = people;
    const [room] = rooms;
    if (!ada || room === undefined) throw new Error('Nobody came.');
    const id = randomUUID();
    const { messageId } = await ada.client.send(room, 'look me up', { id });
    await until(async () => (await audit('deliveries', messageId)).code === 0);
    const { output } = await audit('deliveries', messageId);
    expect(output).toContain(`${ada.userId}  author`);
    const trace = z.object({ events: z.array(z.object({ id: z.string() })) });
    for (const search of [[], ['--user', ada.userId]]) {
      const traced = await audit('trace', id, ...search);
      expect(trace.parse(JSON.parse(traced.output)).events).toMatchObject([{ id: messageId }]);
    }
    expect((await audit('nothing')).code).toBe(2);
  });
});
