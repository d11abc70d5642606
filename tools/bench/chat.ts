import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Scripta } from '#client';
import { LOCAL_TEST_NUMBERS, type Platform } from '../start/platform.js';
import type { Load, Outcome } from './load.js';
import { cpuSecondsOf, loadNow, percentile } from './machine.js';

/** Logins under way at once. */
const LOGINS_AT_ONCE = 16;
/** A run counts only if the read models are this close behind at its end (ms). */
const LAG_MS_MAX = 1_000;

/** What talks: how many people, in rooms of how many, and how fast. */
export type Chat = Readonly<{ people: number; room: number; ratePerS?: number; seconds: number }>;

const started = z.object({ conversationId: z.string() });

let phones = 0;

const logIn = async (platform: Platform): Promise<{ client: Scripta; token: string }> => {
  phones += 1;
  const { prefix, code } = LOCAL_TEST_NUMBERS;
  const client = new Scripta({ url: platform.urls.rest });
  const phone = `${prefix}${String(1_000_000 + phones).padStart(7, '0')}`;
  const { requestId } = await client.requestCode(phone);
  const device = { name: 'bench', platform: 'node' };
  const { accessToken } = await client.login({ requestId, code, name: `Bench ${phones}`, device });
  return { client, token: accessToken };
};

const post = async (url: string, token: string, body: object): Promise<string> => {
  const response = await fetch(`${url}/v1/conversations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return started.parse(await response.json()).conversationId;
};

const gather = async (platform: Platform, { people, room }: Chat): Promise<Load['users']> => {
  const users: { client: Scripta; token: string }[] = [];
  while (users.length < people) {
    const count = Math.min(LOGINS_AT_ONCE, people - users.length);
    users.push(...(await Promise.all(Array.from({ length: count }, () => logIn(platform)))));
  }
  const seated: Load['users'][number][] = [];
  for (let at = 0; at < people; at += room) {
    const [founder, ...others] = users.slice(at, at + room);
    if (!founder) break;
    const members = others.map(({ client }) => client.userId);
    const body =
      room === 2
        ? { kind: 'direct', with: members[0] }
        : { kind: 'group', name: `Room ${at / room}`, members };
    const conversation = await post(platform.urls.rest, founder.token, body);
    for (const { token } of [founder, ...others])
      seated.push({ token, conversations: [conversation] });
  }
  return seated;
};

const isOutcome = (message: unknown): message is Outcome =>
  typeof message === 'object' && message !== null && 'acknowledged' in message;

const lagMs = async (platform: Platform): Promise<number> => {
  const response = await fetch(`${platform.urls.projector}/lag`);
  const views: unknown = await response.json();
  // One figure per view, wherever it stands in the answer; the largest counts.
  const found = JSON.stringify(views).matchAll(/"lagMs":(\d+(?:\.\d+)?)/gu);
  return Math.max(0, ...Array.from(found, ([, ms]) => Number(ms)));
};

/** One run of a chat against the doors' own ports, by a generator in a process of its own. */
export const benchChat = async (
  platform: Platform,
  chat: Chat,
): Promise<Readonly<Record<string, number | boolean>>> => {
  const users = await gather(platform, chat);
  const child = fork(fileURLToPath(new URL('generator.js', import.meta.url)));
  const pids = [...platform.parts.values()].flatMap(({ pid }) => pid ?? []);
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  let before = 0;
  let generatorBefore = 0;
  let generatorCpu = 0;
  const outcome = await new Promise<Outcome>((resolve, reject) => {
    child.on('message', (message) => {
      if (message === 'connected') {
        before = cpu();
        generatorBefore = cpuSecondsOf(child.pid ?? 0);
      } else if (isOutcome(message)) {
        generatorCpu = cpuSecondsOf(child.pid ?? 0) - generatorBefore;
        resolve(message);
      }
    });
    child.once('exit', (code) => reject(new Error(`The generator ended (code ${code}).`)));
    const { ratePerS, seconds, room } = chat;
    const load: Load = {
      socketUrl: platform.urls.socket,
      users,
      seconds,
      readers: room - 1,
      ...(ratePerS === undefined ? {} : { ratePerS }),
    };
    child.send(load);
  });
  const used = cpu() - before;
  const lag = await lagMs(platform);
  const { acknowledged, delivered, lost, duplicated, misordered, refused, seconds } = outcome;
  const per = (count: number): number => Math.round(count / seconds);
  return {
    acknowledgedPerS: per(acknowledged),
    deliveredPerS: per(delivered),
    cpuSecondsPer1000: Number(((used * 1_000) / Math.max(1, acknowledged)).toFixed(2)),
    generatorCpuSeconds: Number(generatorCpu.toFixed(2)),
    ackP50Ms: percentile(outcome.ackMs, 0.5),
    ackP95Ms: percentile(outcome.ackMs, 0.95),
    ackP99Ms: percentile(outcome.ackMs, 0.99),
    deliveredP50Ms: percentile(outcome.deliveredMs, 0.5),
    deliveredP95Ms: percentile(outcome.deliveredMs, 0.95),
    deliveredP99Ms: percentile(outcome.deliveredMs, 0.99),
    lost,
    duplicated,
    misordered,
    refused,
    projectorLagMs: Math.round(lag),
    load: loadNow(),
    counts: lost + duplicated + misordered + refused === 0 && lag < LAG_MS_MAX,
  };
};
