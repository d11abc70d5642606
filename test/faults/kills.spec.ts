import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventStoreDBClient } from '@eventstore/db-client';
import { z } from 'zod';
import type { Fact } from '#client';
import { newPerson, startPlatform, until, type Device, type Platform } from '#testing';
import { disagreements, Ledger, type Logged } from '../../tools/faults/ledger.js';

/** Lives of each process that end in a kill; `SCRIPTA_KILLS` asks for more. */
const KILLS = Number(process.env['SCRIPTA_KILLS'] ?? 5);
/** Longest wait for a crash point to be passed under this load, and for everything to settle. */
const KILL_MS_MAX = 30_000;
const SETTLE_MS_MAX = 60_000;
const PEOPLE = 4;

type Victim = Parameters<Platform['kill']>[0];

/** Where each process dies; a process without a point is killed wherever it happens to be. */
const POINTS: readonly (readonly [Victim, rows: string, readonly string[]])[] = [
  ['event-store', '[T8]', ['log.written', 'log.synced']],
  ['document-store', '', ['']],
  ['projector', '[T5]', ['projector.documents-written', 'projector.checkpoint-written']],
  [
    'command-api',
    '[T1] [T2] [T3]',
    ['command.validated', 'command.append-sent', 'command.appended', 'command.before-ack'],
  ],
  [
    'realtime',
    '[T1] [T2] [T3] [T7]',
    [
      'command.validated',
      'command.append-sent',
      'command.appended',
      'command.before-ack',
      'realtime.mid-emit',
      'realtime.mid-page',
      'realtime.page-before-live',
    ],
  ],
];

let platform: Platform;
const ledger = new Ledger();
const devices: Device[] = [];
const conversations: string[] = [];
const load = { isOn: true };
let loading: Promise<unknown> = Promise.resolve();

const nameOf = ({ client }: Device): string => client.deviceId;

const show = (device: Device, fact: Fact): void => {
  if (fact.type !== 'message.sent') return;
  const { conversationId: conversation, seq, id: messageId, data } = fact;
  ledger.write({
    what: 'shown',
    device: nameOf(device),
    conversation,
    messageId,
    seq,
    text: data.text,
  });
};

const breathe = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Sends without end by the socket; the SDK tries again until it knows the outcome. */
const talk = async (device: Device, conversation: string): Promise<void> => {
  for (let n = 0; load.isOn; n++) {
    const command = randomUUID();
    const text = `${nameOf(device)} ${n}`;
    ledger.write({ what: 'sent', device: nameOf(device), conversation, command, text });
    const sent = await device.client.send(conversation, text, { id: command });
    const { messageId, seq } = sent;
    const known = { device: nameOf(device), conversation, command, messageId, seq };
    ledger.write({ what: 'acknowledged', ...known });
    await breathe(5);
  }
};

const accepted = z.object({ messageId: z.string(), seq: z.number() });

const post = async (conversation: string, key: string, token: string, text: string) => {
  try {
    const at = `${platform.url.rest}/v1/conversations/${conversation}/messages`;
    const response = await fetch(at, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': key,
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({ text }),
      signal: AbortSignal.timeout(5_000),
    });
    return response.ok ? accepted.parse(await response.json()) : undefined;
  } catch {
    // The outcome is not known: the same key is sent again.
    return undefined;
  }
};

/** Sends without end by REST, each message until its outcome is known. */
const write = async (token: string, device: string, conversation: string): Promise<void> => {
  for (let n = 0; load.isOn; n++) {
    const command = randomUUID();
    const text = `rest ${n}`;
    ledger.write({ what: 'sent', device, conversation, command, text });
    let known: z.infer<typeof accepted> | undefined;
    while (!known) {
      known = await post(conversation, command, token, text);
      await breathe(5);
    }
    const { messageId, seq } = known;
    ledger.write({ what: 'acknowledged', device, conversation, command, messageId, seq });
  }
};

const logIn = async (phone: string): Promise<{ accessToken: string; deviceId: string }> => {
  const ask = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(`${platform.url.rest}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.json();
  };
  const { requestId } = z
    .object({ requestId: z.string() })
    .parse(await ask('/v1/auth/codes', { phone }));
  const code = platform.settings['TEST_NUMBERS']?.split(':')[1];
  const device = { name: 'rest', platform: 'test' };
  return z
    .object({ accessToken: z.string(), deviceId: z.string() })
    .parse(await ask('/v1/auth/tokens', { requestId, code, device }));
};

beforeAll(async () => {
  platform = await startPlatform();
  for (let at = 0; at < PEOPLE; at++) {
    const device = await newPerson({ url: platform.url }, `Person ${at}`);
    device.client.on('fact', (fact) => show(device, fact));
    devices.push(device);
  }
  const [owner, ...others] = devices;
  if (!owner) throw new Error('Nobody came.');
  const members = others.map(({ client }) => client.userId);
  for (const name of ['One', 'Two']) {
    const { conversationId, position } = await owner.client.startGroup({ name, members });
    await owner.client.conversation(conversationId, { minPosition: position });
    conversations.push(conversationId);
  }
  const rest = await logIn(owner.phone);
  const [first = ''] = conversations;
  loading = Promise.all([
    ...conversations.flatMap((conversation) => devices.map((each) => talk(each, conversation))),
    write(rest.accessToken, rest.deviceId, first),
  ]);
});

afterAll(async () => {
  load.isOn = false;
  for (const { client } of devices) await client.close();
  await platform.stop();
  ledger.close();
});

/** Makes resumes happen, for the points that lie in them. */
const stir = (): void => {
  for (const { client } of devices) client.interrupt();
};

const dieAt = async (victim: Victim, point: string, life: number): Promise<void> => {
  if (point === '') {
    await breathe(100 + 50 * life);
    await platform.kill(victim);
    await platform.start(victim);
    return;
  }
  await platform.kill(victim);
  const nth = point.includes('page') ? 1 + (life % 3) : 3 + 5 * life;
  // It may die before it has said that it is ready: that is a kill as well.
  const starting = platform.start(victim, { SCRIPTA_CRASH_AT: `${point}:${nth}` });
  await starting.catch(() => undefined);
  const stirring = setInterval(() => {
    if (point.includes('page')) stir();
  }, 500);
  try {
    await until(() => !platform.isRunning(victim), KILL_MS_MAX);
  } finally {
    clearInterval(stirring);
  }
  await platform.start(victim);
};

describe.each(POINTS)('kill -9 of %s under load %s', (victim, _rows, points) => {
  it(`[V1] [V3] at ${points.join(', ') || 'any moment'}, and it goes on`, async () => {
    const lives = Math.max(KILLS, points.length);
    for (let life = 0; life < lives; life++) {
      await dieAt(victim, points[life % points.length] ?? '', life);
      const before = ledger.acknowledged;
      await until(() => ledger.acknowledged > before, KILL_MS_MAX);
      expect(ledger.acknowledged).toBeGreaterThan(before);
    }
  }, 300_000);
});

const logged = async (): Promise<Logged[]> => {
  const client = EventStoreDBClient.connectionString(platform.settings['EVENTSTORE_URL'] ?? '');
  const messages: Logged[] = [];
  const message = z.object({
    conversationId: z.string(),
    messageId: z.string(),
    origin: z.object({ command: z.string() }),
  });
  // What was acknowledged is in the log before it is asked.
  for await (const { event } of client.readAll()) {
    if (event?.type !== 'MessageSent') continue;
    const { conversationId, messageId, origin } = message.parse(event.data);
    const seq = Number(event.revision);
    messages.push({ conversation: conversationId, messageId, command: origin.command, seq });
  }
  await client.dispose();
  return messages;
};

const messagesOf = ({ facts }: Device): number =>
  facts.filter(({ type }) => type === 'message.sent').length;

describe('after all these kills', () => {
  let log: Logged[] = [];

  beforeAll(async () => {
    load.isOn = false;
    await loading;
    log = await logged();
    await until(
      () => devices.every((device) => messagesOf(device) >= log.length),
      SETTLE_MS_MAX,
    ).catch(
      // What is missing is named below.
      () => undefined,
    );
  }, 200_000);

  it('[V1] [V2] [V3] [V4] [V5] ledger, log and devices agree', () => {
    expect(log.length).toBeGreaterThan(100);
    const readers = new Map(devices.map((device) => [nameOf(device), conversations]));
    expect(disagreements(ledger.read(), log, readers)).toEqual([]);
  });

  it('[V7] [V15] history holds every message of the log, in its order', async () => {
    const [reader] = devices;
    for (const conversation of conversations) {
      const expected = log.filter((message) => message.conversation === conversation);
      const found: string[] = [];
      await until(async () => {
        found.length = 0;
        for (let after = 0; ;) {
          const page = await reader?.client.history(conversation, { after, limit: 100 });
          const last = page?.items.at(-1);
          if (!page || !last) break;
          found.push(...page.items.flatMap(({ type, id }) => (type === 'message.sent' ? id : [])));
          after = last.seq;
        }
        return found.length >= expected.length;
      }, SETTLE_MS_MAX);
      expect(found).toEqual(expected.map(({ messageId }) => messageId));
    }
  }, 100_000);
});
