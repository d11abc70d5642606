import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startPlatform, until, type Platform } from '#testing';
import { someone, type Someone } from './someone.js';

/** From the loss to the alarm (Z12). */
const ALARM_MS_MAX = 5_000;
/** Every 50th emission is lost, be it a message or something else: one of so many is a message. */
const ROOMS_MAX = 500;
const ROUNDS = 40;

const report = z.object({
  status: z.enum(['clean', 'alarm']),
  position: z.number(),
  facts: z.number(),
  devices: z.number(),
  compared: z.number(),
  unaudited: z.number(),
  waiting: z.number(),
  adopted: z.number(),
  late: z.number(),
  wrong: z.number(),
  totals: z.record(z.string(), z.number()),
  alarms: z.array(
    z.object({ kind: z.string(), deviceId: z.string(), count: z.number(), at: z.string() }),
  ),
});

let platform: Platform;
const people: Someone[] = [];

const begin = async (names: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  platform = await startPlatform({ env, audited: true });
  for (const name of names) {
    const one = await someone(platform, name);
    await one.client.connect();
    people.push(one);
  }
};

afterEach(async () => {
  for (const { client } of people.splice(0)) await client.close();
  await platform.stop();
});

const audit = async () => {
  const answer = await fetch(`http://127.0.0.1:${platform.port('auditor')}/audit`);
  return report.parse(await answer.json());
};

const shown = ({ facts }: Someone): ReadonlySet<string> => new Set(facts.map(({ id }) => id));

/** Whether a device has shown a message that was said after one that it was not shown. */
const isMissingOne = (one: Someone, said: readonly string[]): boolean => {
  const has = shown(one);
  const last = said.findLastIndex((id) => has.has(id));
  return said.slice(0, last).some((id) => !has.has(id));
};

type Victim = Parameters<Platform['kill']>[0];

const restart = async (name: Victim, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
  await platform.kill(name, signal);
  await platform.start(name);
};

/** What happens in which round. */
const happenings = (
  [ada, , eve, zoe]: readonly Someone[],
  room: string,
): Readonly<Record<number, () => Promise<unknown>>> => {
  if (!ada || !eve || !zoe) throw new Error('Nobody came.');
  return {
    4: () => restart('realtime'),
    8: () => zoe.client.close(),
    10: () => eve.client.leave(room),
    12: () => restart('auditor'),
    16: () => zoe.client.connect(),
    18: () => ada.client.addMembers(room, [eve.userId]),
    22: () => restart('projector'),
    26: () => restart('event-store'),
    30: () => restart('document-store'),
    34: () => restart('realtime', 'SIGTERM'),
  };
};

/** Until spans were looked at that were written after everything said so far was acknowledged. */
const lookAgain = async ({ client }: Someone, room: string): Promise<void> => {
  const { compared } = await audit();
  await client.send(room, 'the very last');
  await until(async () => (await audit()).compared >= compared + people.length);
};

/** Whether all devices were compared up to a place, and owe nothing. */
const hasSettled = async (position: string): Promise<boolean> => {
  const now = await audit();
  const isFar = now.position >= Number(position) && now.devices === people.length;
  return isFar && now.waiting === 0 && now.late === 0;
};

describe('the shadow auditor beside a running platform', () => {
  it('[Z12] raises an alarm within 5 s of an emission that was lost', async () => {
    await begin(['Ada', 'Ben', 'Eve'], { SCRIPTA_PLANTED_BUG: 'drop-emission' });
    const [ada, ...others] = people;
    if (!ada) throw new Error('Nobody came.');
    // Each room has one message, so that no later one there makes the SDK look for it.
    const members = others.map(({ userId }) => userId);
    const said: string[] = [];
    while (said.length < ROOMS_MAX && !people.some((one) => isMissingOne(one, said))) {
      const { conversationId } = await ada.client.startGroup({ name: 'Room', members });
      said.push((await ada.client.send(conversationId, 'once')).messageId);
    }
    expect(said.length).toBeLessThan(ROOMS_MAX);
    await until(async () => (await audit()).status === 'alarm', ALARM_MS_MAX);
    const { alarms, totals } = await audit();
    expect(alarms[0]).toMatchObject({ kind: 'lost' });
    expect(people.map(({ deviceId }) => deviceId)).toContain(alarms[0]?.deviceId);
    expect(totals['lost']).toBeGreaterThan(0);
    expect(platform.log('auditor')).toContain('ALARM {"kind":"lost"');
  }, 120_000);

  it('[Z12] raises none through kills, reconnects, comings and goings', async () => {
    await begin(['Ada', 'Ben', 'Eve', 'Zoe']);
    const [ada, ben, eve] = people;
    if (!ada || !ben || !eve) throw new Error('Nobody came.');
    const members = people.slice(1).map(({ userId }) => userId);
    const { conversationId: first } = await ada.client.startGroup({ name: 'One', members });
    const { conversationId: second } = await ada.client.startGroup({ name: 'Two', members });
    const happens = happenings(people, second);
    for (let round = 0; round < ROUNDS; round++) {
      const happening = happens[round]?.();
      if (round % 5 === 3) ben.client.interrupt();
      await Promise.all([
        ada.client.send(first, `${round} from Ada`),
        ben.client.send(second, `${round} from Ben`),
        eve.client.send(first, `${round} from Eve`),
      ]);
      await happening;
    }
    const { seq, messageId, position } = await ada.client.send(first, 'the last');
    await ben.client.markRead(first, seq);
    await until(() => people.every((one) => shown(one).has(messageId)));
    await until(() => hasSettled(position));
    await lookAgain(ada, second);
    expect(await audit()).toMatchObject({
      status: 'clean',
      wrong: 0,
      unaudited: 0,
      adopted: 0,
      totals: { lost: 0, duplicated: 0, misordered: 0, overdue: 0, healed: 0 },
      alarms: [],
    });
  }, 180_000);
});
