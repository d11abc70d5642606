import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { MongoClient } from 'mongodb';
import { z } from 'zod';
import { builtPath, PROGRAMS, STORES, type PartName } from '../start/programs.js';
import { Supervised, type Environment } from '../start/supervised.js';
import { Line } from './line.js';
import { onScene, type Case, type Outcome } from './outcome.js';
import { eventually, type Scene } from './scene.js';

const outcome = z.object({
  faults: z.array(z.string()),
  recoveryMs: z.number(),
  note: z.string(),
});

/** Starts another process of a part beside the one that the platform has. */
const another = async (
  { platform }: Scene,
  name: PartName,
  portSetting: string,
  env: Environment = {},
): Promise<Supervised> => {
  const { entry, flags } = PROGRAMS[name];
  const part = new Supervised({
    name: `another ${name}`,
    entry,
    flags,
    port: 0,
    listening: (port) => ({
      args: [],
      env: { ...platform.settings, ...env, [portSetting]: String(port) },
    }),
    print: () => undefined,
  });
  await part.start();
  return part;
};

const splitBrain = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const second = await another(scene, 'projector', 'PROJECTOR_PORT');
    try {
      await scene.flows(300);
      await scene.kill('projector');
      await scene.flows(300);
      const recoveryMs = await scene.recovery();
      await scene.quiet();
      return { recoveryMs, note: 'two projectors, one of them killed once' };
    } finally {
      await second.stop();
    }
  });

/** Checkpoints are set back, so that the last events are folded once more. */
const again = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const mongo = new MongoClient(scene.platform.urls.mongodb);
    try {
      const checkpoints = mongo.db('views').collection('checkpoints');
      const before = await checkpoints.find({}).toArray();
      await scene.flows(1_000);
      scene.platform.kill('projector', 'SIGSTOP');
      for (const { _id, position, eventId, scanned } of before)
        await checkpoints.updateOne({ _id }, { $set: { position, eventId, scanned } });
      await scene.kill('projector');
      return { recoveryMs: await scene.recovery(), note: '1,000 messages folded twice' };
    } finally {
      await mongo.close();
    }
  });

/** A second socket door hears of everything late; people sit at both. */
const lateNode = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    await scene.quiet();
    const { eventstore, rest } = scene.platform.urls;
    const line = await Line.to(() => Number(/:(\d+)/u.exec(eventstore)?.[1]), scene.chance);
    const env = { EVENTSTORE_URL: `esdb://127.0.0.1:${line.port}?tls=false` };
    const node = await another(scene, 'realtime', 'REALTIME_PORT', env);
    const url = { rest, socket: `http://127.0.0.1:${node.port}` };
    try {
      await scene.join('Far 1', url);
      await scene.join('Far 2', url);
      const conversation = await scene.gather(scene.players);
      line.trouble({ delayMs: 300 });
      scene.talk(conversation);
      await sleep(8_000);
      line.trouble({});
      const recoveryMs = await scene.recovery();
      const faults = await scene.faults();
      if (faults.length > 0) throw new Error(faults.join('; '));
      for (const { client } of scene.players.splice(-2)) await client.close();
      return { recoveryMs, note: 'up to 300 ms each chunk between the log and one of two nodes' };
    } finally {
      await node.stop();
      await line.close();
    }
  });

/** The kinds of events that cannot be read, by name: type and data. */
export const POISON: Readonly<Record<string, Readonly<{ type: string; data: object }>>> = {
  'an unknown type': { type: 'SomethingElse', data: { v: 1 } },
  'data that is no record of its type': { type: 'MessageSent', data: { v: 1 } },
  'a version from the future': { type: 'MessageSent', data: { v: 99 } },
  'an empty record': { type: 'MessageSent', data: {} },
  'an array for a record': { type: 'MessageSent', data: [1, 2, 3] },
  'a broken seal': {
    type: 'MessageSent',
    data: { v: 1, sealed: { subject: 'a', box: 'b', commit: 'c' } },
  },
  'a field of 512 KiB': { type: 'MessageSent', data: { v: 1, x: 'x'.repeat(2 ** 19) } },
  'a field of another type': { type: 'MessageSent', data: { v: 1, messageId: 7, text: null } },
};

/** Appends one event of each kind of poison, each to a conversation of its own that lives. */
export const poison = async (scene: Scene): Promise<readonly string[]> => {
  const store = EventStoreDBClient.connectionString(scene.platform.urls.eventstore);
  const streams: string[] = [];
  for (const { type, data } of Object.values(POISON)) {
    const stream = `conversation-${await scene.gather(scene.players)}`;
    scene.conversations.pop();
    // Whatever JSON there is: that is the point.
    const event = jsonEvent({ id: randomUUID(), type, data: { ...data } });
    await store.appendToStream(stream, [event]);
    streams.push(stream);
  }
  await store.dispose();
  return streams;
};

const poisoning = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const streams = await poison(scene);
    const recoveryMs = await scene.recovery();
    const mongo = new MongoClient(scene.platform.urls.mongodb);
    try {
      const parked = mongo.db('operations').collection('parked');
      for (const stream of streams)
        await eventually(
          `${stream} is parked`,
          async () => (await parked.countDocuments({ stream })) > 0,
        );
    } finally {
      await mongo.close();
    }
    return { recoveryMs, note: `${streams.length} kinds, each parked; others go on` };
  });

const APART = ['--user', '--map-root-user', '--mount', '--kill-child'] as const;

/** Runs a script where mounts are its own: any user may do that on most Linux machines. */
const apart = (script: string, ...args: readonly string[]) =>
  promisify(execFile)('unshare', [...APART, 'sh', '-c', script, ...args]);

/** The log's disk is full: a small tmpfs, in a mount namespace of a process of its own. */
const fullDisk = async (seed: number): Promise<Outcome> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'scripta-full-'));
  const mount = 'mount -t tmpfs -o size=64m none "$0"';
  const log = join(dataDir, STORES['event-store'].folder);
  try {
    await mkdir(log);
    const isAllowed = await apart(mount, log).then(
      () => true,
      () => false,
    );
    if (!isAllowed) return { faults: [], skipped: 'this machine lets nobody mount a small tmpfs' };
    const program = [process.execPath, builtPath('tools/faults/full-disk.js')];
    const script = `${mount} && exec "$1" "$2" "$3" "$4"`;
    const { stdout } = await apart(script, log, ...program, dataDir, String(seed));
    return outcome.parse(JSON.parse(stdout));
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
};

/** Faults of the log, of the read models, and of what they hold. */
export const cases: readonly Case[] = (
  [
    ['T6', 'P', 'two projectors at once', splitBrain],
    ['T27', 'E-P', 'events come again', again],
    ['T28', 'E-R', 'the log reaches one of two nodes late', lateNode],
    ['T34', 'P, R', 'events that cannot be read', poisoning],
    ['T21', 'E', 'the disk is full', fullDisk],
  ] as const
).map(([row, who, fault, run]): Case => ({ row, who, fault, run }));
