import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { EventStoreDBClient } from '@eventstore/db-client';
import { z } from 'zod';
import { MemoryStorage, Scripta, ScriptaError, type Fact, type ScriptaStorage } from '#client';
import { builtPath, type PartName } from '../start/programs.js';
import {
  LOCAL_TEST_NUMBERS,
  startPlatform,
  type Platform,
  type PlatformOptions,
} from '../start/platform.js';
import { chanceOf } from '../replay/chaos.js';
import { Line } from './line.js';
import { disagreements, Ledger, type Logged } from './ledger.js';

/** Between two messages of one person in one conversation (ms): a few hundred a second in all. */
const PACE_MS = 10;
/** Longest wait for anything that has to come of itself (ms): a silent line is found in 45 s. */
const PATIENCE_MS = 90_000;
const LOOK_MS = 25;
/** A command-line rebuild that compares, of a few thousand events, takes about a second (ms). */
const REBUILD_MS_MAX = 120_000;

/** Waits until something is so. Throws what was waited for when it does not come. */
export const eventually = async (
  what: string,
  isSo: () => boolean | Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> => {
  const endMs = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`It did not happen in time: ${what}.`);
    await sleep(LOOK_MS);
  }
};

/** A person of a scene, on one device. */
export type Player = Readonly<{
  client: Scripta;
  storage: ScriptaStorage;
  phone: string;
  facts: Fact[];
}>;

const rebuilt = z.object({
  views: z.array(
    z.object({
      view: z.string(),
      before: z.object({ sha256: z.string() }).optional(),
      after: z.object({ sha256: z.string() }).optional(),
      parked: z.array(z.string()),
    }),
  ),
});
const messageData = z.object({
  conversationId: z.string(),
  messageId: z.string(),
  origin: z.object({ command: z.string() }),
});

let phones = 0;

/** A real platform, people who talk on it, and the ledger of what they saw. */
export class Scene {
  readonly ledger = new Ledger();
  readonly players: Player[] = [];
  readonly conversations: string[] = [];
  readonly chance: () => number;
  /** The way of the clients to the socket door. */
  line: Line | undefined;
  #loading: Promise<unknown> = Promise.resolve();
  #isOn = false;
  /** When each text was handed over, and for each device the latest of those it was shown (ms). */
  readonly #saidMs = new Map<string, number>();
  readonly #reachedMs = new Map<string, number>();
  readonly deliveredMs: number[] = [];

  private constructor(
    readonly platform: Platform,
    seed: number,
  ) {
    this.chance = chanceOf(seed);
  }

  /** Starts a platform, and people in one conversation, behind a line of their own. */
  static async open(
    seed: number,
    options: PlatformOptions & Readonly<{ people?: number }> = {},
  ): Promise<Scene> {
    const platform = await startPlatform({
      ...options,
      env: { RATE_LIMIT_COMMANDS: 'false', LOG_LEVEL: 'error', ...options.env },
    });
    const scene = new Scene(platform, seed);
    try {
      const door = () => Number(new URL(platform.urls.socket).port);
      scene.line = await Line.to(door, scene.chance);
      for (let at = 0; at < (options.people ?? 4); at += 1) await scene.join(`Person ${at}`);
      await scene.gather(scene.players);
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  /** Where clients connect. */
  get url() {
    const { rest, socket } = this.platform.urls;
    return { rest, socket: this.line ? `http://127.0.0.1:${this.line.port}` : socket };
  }

  /** A new person comes, logs in and is live. */
  async join(name: string, url: Scene['url'] = this.url): Promise<Player> {
    phones += 1;
    const phone = `${LOCAL_TEST_NUMBERS.prefix}${String(phones).padStart(7, '0')}`;
    const storage = new MemoryStorage();
    const client = new Scripta({ url, storage });
    await this.logIn(client, phone, name);
    const player = { client, storage, phone, facts: [] };
    this.listen(player);
    await client.connect();
    this.players.push(player);
    return player;
  }

  /** Logs in however long a door is being started again. */
  async logIn(client: Scripta, phone: string, name: string): Promise<string> {
    for (;;)
      try {
        const { requestId } = await client.requestCode(phone);
        const tokens = await client.login({ requestId, code: LOCAL_TEST_NUMBERS.code, name });
        return tokens.userId;
      } catch (error) {
        if (!(error instanceof ScriptaError) || !error.retryable) throw error;
        await sleep(LOOK_MS);
      }
  }

  /** Writes down what a device is shown. */
  listen({ client, facts }: Player): void {
    client.on('fact', (fact) => {
      facts.push(fact);
      if (fact.type !== 'message.sent') return;
      const { conversationId: conversation, seq, id: messageId, data } = fact;
      const device = client.deviceId;
      const { text } = data;
      this.ledger.write({ what: 'shown', device, conversation, messageId, seq, text });
      const saidMs = this.#saidMs.get(text);
      if (saidMs === undefined) return;
      this.deliveredMs.push(performance.now() - saidMs);
      this.#reachedMs.set(device, Math.max(saidMs, this.#reachedMs.get(device) ?? 0));
    });
  }

  /** People begin a conversation, in which all of them will talk. */
  async gather([owner, ...others]: readonly Player[]): Promise<string> {
    if (!owner) throw new Error('Nobody came.');
    const members = others.map(({ client }) => client.userId);
    const { conversationId } = await owner.client.startGroup({ name: 'Fault', members });
    const isHere = ({ facts }: Player) =>
      facts.some((fact) => fact.conversationId === conversationId);
    await eventually('everybody hears of the conversation', () => [owner, ...others].every(isHere));
    this.conversations.push(conversationId);
    return conversationId;
  }

  /** Everybody talks until `quiet`. */
  talk(
    conversation = this.conversations[0] ?? '',
    paceMs = PACE_MS,
    players: readonly Player[] = this.players,
  ): void {
    this.#isOn = true;
    const talks = players.map((player) => this.#talk(player, conversation, paceMs));
    this.#loading = Promise.all([this.#loading, ...talks]);
    // Whoever waits for quiet hears of it.
    this.#loading.catch(() => undefined);
  }

  async #talk({ client }: Player, conversation: string, paceMs: number): Promise<void> {
    while (this.#isOn) {
      await this.say(client, conversation);
      await sleep(paceMs);
    }
  }

  /** Says one thing; resolves when it is acknowledged. */
  async say(client: Scripta, conversation: string): Promise<void> {
    const command = randomUUID();
    const device = client.deviceId;
    const text = `says ${command}`;
    this.ledger.write({ what: 'sent', device, conversation, command, text });
    this.#saidMs.set(text, performance.now());
    const { messageId, seq } = await client.send(conversation, text, { id: command });
    this.ledger.write({
      what: 'acknowledged',
      device,
      conversation,
      command,
      messageId,
      seq,
    });
  }

  /** Waits until more has been acknowledged. */
  async flows(more = 20): Promise<void> {
    const goal = this.ledger.acknowledged + more;
    await eventually(
      `${more} more messages are acknowledged`,
      () => this.ledger.acknowledged >= goal,
    );
  }

  /** Waits until everybody was shown something that was said from now on; gives how long it took. */
  async recovery(players: readonly Player[] = this.players): Promise<number> {
    const fromMs = performance.now();
    const isBack = ({ client }: Player) => (this.#reachedMs.get(client.deviceId) ?? 0) >= fromMs;
    await eventually('everybody hears of what is said after the fault', () =>
      players.every(isBack),
    );
    return performance.now() - fromMs;
  }

  /** Nothing more is said; what is on its way arrives. */
  async quiet(): Promise<void> {
    this.#isOn = false;
    await this.#loading;
  }

  async kill(...names: readonly PartName[]): Promise<void> {
    const before = names.map((name) => this.platform.parts.get(name)?.restarts ?? 0);
    for (const name of names) this.platform.kill(name, 'SIGKILL');
    await eventually(`${names.join(', ')} restarted`, () =>
      names.every((name, at) => (this.platform.parts.get(name)?.restarts ?? 0) > (before[at] ?? 0)),
    );
  }

  async ready(): Promise<void> {
    const isReady = async () =>
      (await fetch(`${this.platform.urls.public}/readyz`).catch(() => undefined))?.ok === true;
    await eventually('all parts are ready', isReady);
  }

  restarts(): number {
    return [...this.platform.parts.values()].reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /** Ends the load and compares ledger, log, devices and views: what is wrong, in words. */
  async faults(): Promise<string[]> {
    await this.quiet();
    await this.ready();
    const log = await this.#logged();
    const expected = (conversation: string) =>
      log.filter((message) => message.conversation === conversation).length;
    const isShown = ({ facts }: Player) => {
      const shown = facts.filter(({ type }) => type === 'message.sent');
      const own = new Set(facts.map(({ conversationId }) => conversationId));
      const goal = this.conversations.filter((id) => own.has(id)).map(expected);
      return shown.length >= goal.reduce((sum, one) => sum + one, 0);
    };
    // What is still missing then is named by the comparison.
    await eventually('all is shown', () => this.players.every(isShown)).catch(() => undefined);
    const readers = new Map(
      this.players.map(({ client, facts }) => {
        const own = new Set(facts.map(({ conversationId }) => conversationId));
        return [client.deviceId, this.conversations.filter((id) => own.has(id))] as const;
      }),
    );
    return [
      ...disagreements(this.ledger.read(), log, readers),
      ...(await this.#misread(log)),
      ...(await this.#misfolded()),
    ];
  }

  async #logged(): Promise<Logged[]> {
    const store = EventStoreDBClient.connectionString(this.platform.urls.eventstore);
    const logged: Logged[] = [];
    for (const conversation of this.conversations)
      for await (const { event } of store.readStream(`conversation-${conversation}`)) {
        if (event?.type !== 'MessageSent') continue;
        const { messageId, origin } = messageData.parse(event.data);
        const seq = Number(event.revision);
        logged.push({ conversation, messageId, command: origin.command, seq });
      }
    await store.dispose();
    return logged;
  }

  /** History by REST against the log. */
  async #misread(log: readonly Logged[]): Promise<string[]> {
    const wrong: string[] = [];
    for (const conversation of this.conversations) {
      const said = log.filter((message) => message.conversation === conversation);
      const reader = this.players.find(({ facts }) =>
        facts.some((fact) => fact.conversationId === conversation),
      );
      if (!reader) continue;
      let found: string[] = [];
      await eventually('history holds what the log holds', async () => {
        found = await historyOf(reader.client, conversation);
        return found.length >= said.length;
      }).catch(() => undefined);
      if (found.join() !== said.map(({ messageId }) => messageId).join())
        wrong.push(`[V7] [V15] history of ${conversation}: ${found.length} of ${said.length}`);
    }
    return wrong;
  }

  /** Rebuilds the read models from the log and compares them with what was there. */
  async #misfolded(): Promise<string[]> {
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [builtPath('tools/rebuild/main.js'), '--json'], {
      env: { ...this.platform.settings },
      timeout: REBUILD_MS_MAX,
    });
    const { views } = rebuilt.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
    return views.flatMap(({ view, before, after }) =>
      before?.sha256 === after?.sha256 ? [] : [`[V13] ${view} is not as the log has it`],
    );
  }

  async close(): Promise<void> {
    this.#isOn = false;
    for (const { client } of this.players) await client.close();
    await this.#loading.catch(() => undefined);
    await this.line?.close();
    await this.platform.stop();
    this.ledger.close();
    await rm(this.ledger.folder, { recursive: true, force: true });
  }
}

const historyOf = async (client: Scripta, conversation: string): Promise<string[]> => {
  const found: string[] = [];
  for (let after = 0; ;) {
    const { items } = await client.history(conversation, { after, limit: 100 });
    const last = items.at(-1);
    if (!last) return found;
    found.push(...items.flatMap(({ type, id }) => (type === 'message.sent' ? [id] : [])));
    after = last.seq;
  }
};
