import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { claimStreamOf, Streams, type Ports } from '#commands';
import {
  claim,
  CompleteErasure,
  ErasePerson,
  erasures,
  OrderErasure,
  Rejection,
  ReleaseClaim,
  user,
  type Command,
  type CommandMeta,
  type Decider,
  type Erasures,
  type ErasureReason,
  type ScriptaEvent,
} from '#domain';
import {
  crashPoint,
  eraseFromViews,
  eventIdOf,
  isSealedFor,
  pagesOf,
  streamsOf,
  untilCaughtUp,
  uuidOf,
  type LogEvent,
  type ViewSwitch,
  type ViewWriter,
} from '#platform';
import { certify, hashOf, type Certificate, type Statement } from './certificate.js';
import { eraseFiles, eraseFromOperations, WITHOUT_TEXTS } from './erasers.js';
import { scanFolder } from './raw-scan.js';

/** Texts that are looked for in the raw bytes after; in memory only, and only the first time. */
const SAMPLES_MAX = 20;
/** A text this long is hardly somebody else's too (characters). */
const SAMPLE_CHARS_MIN = 16;

/** How long the read models may be behind the log before it is given up until another time (ms). */
const CAUGHT_UP_MS_MAX = 60_000;

/** What an erasure stands on. */
export type ErasurePorts = Ports & Readonly<{ writer: ViewWriter; switching: ViewSwitch }>;

/** Who is to be erased, why, and who says so. */
export type Order = Readonly<{ userId: string; reason: ErasureReason; by: string }>;

/** Told at each step. */
export type OnStep = (step: string) => void;

type Seen = Readonly<{
  events: number;
  streams: number;
  /** E.164, empty where it cannot be read any more. */
  phone: string;
  samples: readonly string[];
}>;

const metaOf = (ports: Ports, name: string, stream: string, by: string): CommandMeta => {
  const commandId = uuidOf(name);
  const at = ports.clock.iso();
  const eventId = eventIdOf(stream, '', commandId);
  return { commandId, eventId, actor: by, at, correlationId: commandId };
};

/** One erasure: the order stands in the log first, so that whatever ends it, it is taken up again. */
export class Erasure {
  readonly #streams: Streams;

  constructor(
    private readonly ports: ErasurePorts,
    private readonly onStep: OnStep = () => undefined,
  ) {
    this.#streams = new Streams(ports);
  }

  /** Everybody whose erasure was ordered. */
  async ordered(): Promise<Erasures> {
    const latest = Number.MAX_SAFE_INTEGER;
    return (await this.#streams.look(erasures, 'erasures', latest)).state;
  }

  /** Erases, or goes on where an earlier try has ended; gives the certificate. */
  async run(order: Order): Promise<Certificate> {
    const { ports } = this;
    const began = ports.clock.monotonic();
    // Where they have said something is known from the read models.
    const known = { store: ports.store, reading: ports.views };
    await untilCaughtUp(known, CAUGHT_UP_MS_MAX);
    const seen = await this.#look(order.userId);
    const ordered = await this.#order(order, seen);
    crashPoint('erase.ordered');
    this.onStep('destroying the key');
    await ports.keys.destroy(order.userId);
    crashPoint('erase.key-destroyed');
    await ports.timer.sleep(ports.keys.forgottenWithinMs);
    const claims = await this.#end(order, ordered);
    this.onStep('folding the read models again');
    await untilCaughtUp(known, CAUGHT_UP_MS_MAX);
    const views = await eraseFromViews(
      { ...ports, reading: ports.views, views: ports.switching },
      order.userId,
    );
    crashPoint('erase.views-done');
    const whose = { userId: order.userId, phoneClaim: ordered.phoneClaim };
    const operations = await eraseFromOperations(ports, whose);
    const files = await eraseFiles(ports.config.DATA_DIR, order.userId);
    this.onStep('compacting the document store');
    const compaction = await ports.switching.compact();
    crashPoint('erase.compacted');
    this.onStep('reading every byte of the data folder');
    const scan =
      seen.samples.length > 0 ? await scanFolder(ports.config.DATA_DIR, seen.samples) : undefined;
    const { phone: _phone, samples: _samples, ...log } = seen;
    const { position = -1 } = (await ports.store.last('erasures')) ?? {};
    return this.#complete({
      v: 1,
      userId: order.userId,
      reason: ordered.reason,
      by: ordered.by,
      orderedAt: ordered.at,
      completedAt: ports.clock.iso(),
      seconds: (ports.clock.monotonic() - began) / 1_000,
      log: { ...log, opened: await this.#opened(order.userId), position },
      key: { destroyed: true, forgottenWithinMs: ports.keys.forgottenWithinMs },
      views: views.map((view) => ({ ...view })),
      operations: operations.map((one) => ({ ...one })),
      files: files.map((one) => ({ ...one })),
      claims,
      compaction,
      ...(scan ? { scan } : {}),
      nothingIn: NOTHING_IN,
      stays: STAYS,
    });
  }

  /** What there is of the person: how many sealed texts, and some to look for afterwards. */
  async #look(userId: string): Promise<Seen> {
    this.onStep('reading what there is of the person');
    const { store, views } = this.ports;
    const seen = { events: 0, phone: '', samples: Array.of<string>() };
    const streams = await streamsOf(views, userId);
    const all = { after: -1, upTo: Number.MAX_SAFE_INTEGER };
    for (const stream of streams)
      for await (const page of pagesOf(store, stream, all)) {
        const theirs = page.filter((logged) => isSealedFor(logged, userId));
        seen.events += theirs.length;
        const isOwn = stream.startsWith('user-');
        const read = theirs.slice(0, isOwn ? theirs.length : SAMPLES_MAX);
        const texts = await Promise.all(read.map((logged) => this.#texts(logged)));
        seen.phone = texts.findLast(({ phone }) => phone !== undefined)?.phone ?? seen.phone;
        seen.samples.push(...texts.flatMap(({ text }) => text ?? []));
        seen.samples.splice(SAMPLES_MAX);
      }
    return { ...seen, streams: streams.length };
  }

  async #texts(logged: LogEvent): Promise<Readonly<{ phone?: string; text?: string }>> {
    const { data } = await this.ports.codec.decode(logged, true);
    return {
      ...('phone' in data && data.phone !== '' ? { phone: data.phone } : {}),
      ...('text' in data && data.text.length >= SAMPLE_CHARS_MIN ? { text: data.text } : {}),
    };
  }

  async #order({ userId, reason, by }: Order, { phone }: Seen) {
    this.onStep('writing the order to the log');
    const { keys } = this.ports;
    const { state } = await this.#streams.look(user, `user-${userId}`, Number.MAX_SAFE_INTEGER);
    const phoneClaim =
      phone === '' ? undefined : claimStreamOf(keys.derive('claims'), 'phone', phone);
    const meta = metaOf(this.ports, `erase:${userId}`, 'erasures', by);
    const data = { userId, reason, phoneClaim, usernameClaim: state.usernameClaim };
    await this.#execute(erasures, new OrderErasure(data, meta));
    const ordered = (await this.ordered()).get(userId);
    if (!ordered) throw new Error(`The order for ${userId} is not in the log.`);
    return ordered;
  }

  /** Ends the person's sessions, says it in their stream, and lets go of what they held. */
  async #end(
    { userId, by }: Order,
    { phoneClaim, usernameClaim }: Readonly<{ phoneClaim?: string; usernameClaim?: string }>,
  ): Promise<number> {
    const held = [phoneClaim, usernameClaim].filter((one) => one !== undefined);
    for (const one of held) {
      const release = metaOf(this.ports, `erase-claim:${userId}:${one}`, one, by);
      // Whatever they took, they have left for good.
      const leaving = { claim: one, holder: userId, leftAt: Number.MAX_SAFE_INTEGER };
      await this.#execute(claim, new ReleaseClaim(leaving, release));
    }
    const stream = `user-${userId}`;
    const meta = metaOf(this.ports, `erase-person:${userId}`, stream, by);
    try {
      await this.#execute(user, new ErasePerson({ userId }, meta));
    } catch (error) {
      // Texts may be sealed for somebody who never registered here: imported ones.
      if (!(error instanceof Rejection) || error.code !== 'not_found') throw error;
    }
    return held.length;
  }

  /** Tries to open what the log holds of the person with every key there is: none may open. */
  async #opened(userId: string): Promise<0> {
    if (await this.ports.keys.find(userId))
      throw new Error(`The key of ${userId} is still there; nothing is certified.`);
    return 0;
  }

  async #complete(statement: Statement): Promise<Certificate> {
    const { ports } = this;
    const undone = statement.views.find(({ documents, verified }) => documents !== verified);
    if (undone)
      throw new Error(`${undone.view} is not as it was folded; nothing is certified. Try again.`);
    const certificate = certify(statement, ports.keys);
    const folder = join(ports.config.DATA_DIR, 'certificates');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, `${statement.userId}.json`);
    await writeFile(file, `${JSON.stringify(certificate, null, 2)}\n`, { flush: true });
    const hash = hashOf(certificate);
    const { userId, by } = statement;
    const meta = metaOf(ports, `erase-complete:${userId}:${hash}`, 'erasures', by);
    await this.#execute(erasures, new CompleteErasure({ userId, certificate: hash }, meta));
    return certificate;
  }

  async #execute<S extends object, C extends Command, E extends ScriptaEvent>(
    decider: Decider<S, C, E>,
    command: C,
  ): Promise<void> {
    // The engine hands a decider only its own states, commands and events.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const known = decider as unknown as Parameters<Streams['execute']>[0];
    await this.#streams.execute(known, command);
  }
}

const NOTHING_IN = [
  'snapshots: states are folded without personal texts',
  `operations: ${WITHOUT_TEXTS.join(', ')} hold ids, places, counts and times`,
  'caches: every process forgets a destroyed key within the time above, and reads the log',
  'media, pushes: none are stored by this version',
];

const STAYS = [
  'in the log: that, when and where the person did something, sealed texts that no key opens, ' +
    'and their commitments',
  'on devices of others: what they have received',
  'in backups: sealed texts; keys in a backup are destroyed again from the log at the next start',
];
