import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decides, Streams, type Accepted, type Ports } from '#commands';
import {
  AddMembers,
  conversation,
  GROUP_MEMBERS_MAX,
  LeaveConversation,
  Rejection,
  RemoveMember,
  RenameConversation,
  SendMessage,
  StartConversation,
  type CommandMeta,
  type ConversationCommand,
  type ConversationEvent,
} from '#domain';
import { eventIdOf, plant, uuidOf } from '#platform';
import { memoryPorts, SteppedTime } from '#testing';
import { breachesOf } from './promises.js';
import { ScheduledStore, type Fate } from './scheduled-store.js';

/** `SCRIPTA_PROPERTY_RUNS=10000` asks for more; `SCRIPTA_PROPERTY_SEED` for those of a failure. */
const RUNS = Number(process.env['SCRIPTA_PROPERTY_RUNS'] ?? 300);
const SEED = Number(process.env['SCRIPTA_PROPERTY_SEED'] ?? Date.now() % 2 ** 31);
/** Time that one run may take, ten times what it takes. */
const RUN_MS_MAX = 500;

const PEOPLE = ['ada', 'ben', 'eve', 'zoe', 'kim'].map((name) => uuidOf(`person:${name}`));
const [FOUNDER = ''] = PEOPLE;
const WRITERS = 3;
const conversationId = uuidOf('conversation');
const stream = `conversation-${conversationId}`;

/** A wish of somebody, which reaches one of the writers. */
type Wish = Readonly<{
  writer: number;
  by: string;
  /** It is sent once more, to another writer: its first answer did not come. */
  isRepeated: boolean;
  make: (meta: CommandMeta) => ConversationCommand;
}>;

const person = fc.constantFrom(...PEOPLE);
const wishes: readonly fc.Arbitrary<Wish['make']>[] = [
  fc
    .uniqueArray(person, { minLength: 1, maxLength: 3 })
    .map((members) => (meta) => new AddMembers({ conversationId, members }, meta)),
  person.map((userId) => (meta) => new RemoveMember({ conversationId, userId }, meta)),
  fc.constant((meta) => new LeaveConversation({ conversationId }, meta)),
  fc.constant((meta) => new RenameConversation({ conversationId, name: 'Crew' }, meta)),
  fc.constant((meta) => new SendMessage({ conversationId, text: 'hi' }, meta)),
];
const wish: fc.Arbitrary<Wish> = fc.record({
  writer: fc.nat(WRITERS - 1),
  by: person,
  isRepeated: fc.boolean(),
  make: fc.oneof(...wishes),
});
/** How many are in beside those who act: few, or so many that only two more find a place. */
const crowd = fc.oneof(
  { weight: 19, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constant(GROUP_MEMBERS_MAX - 4) },
);

type Told = Readonly<{ wish: Wish; meta: CommandMeta; answers: readonly (Accepted | string)[] }>;

/** Writers are processes: each holds a state of its own, on a way of its own to the one log. */
const writersOn = (ports: Ports, scheduler: fc.Scheduler, fates: readonly Fate[]) =>
  Array.from({ length: WRITERS }, (_, at) => {
    const store = new ScheduledStore(ports.store, scheduler, `writer ${at}`, fates.slice(at * 2));
    const handler = new (Decides(conversation))(new Streams({ ...ports, store }));
    return async (command: ConversationCommand): Promise<Accepted | string> => {
      try {
        return await handler.execute(command);
      } catch (error) {
        if (error instanceof Rejection) return error.code;
        throw error;
      }
    };
  });

const metaOf = (by: string, at: string): CommandMeta => {
  const commandId = randomUUID();
  const device = uuidOf(`device:${by}`);
  const eventId = eventIdOf(stream, device, commandId);
  return { commandId, eventId, actor: by, device, at, correlationId: commandId };
};

const happened = async (
  scheduler: fc.Scheduler,
  { wished, others, fates }: { wished: readonly Wish[]; others: number; fates: readonly Fate[] },
) => {
  const time = new SteppedTime();
  const ports = {
    ...memoryPorts({ RATE_LIMIT_COMMANDS: 'false' }),
    clock: time.clock,
    timer: time,
  };
  const direct = new (Decides(conversation))(new Streams(ports));
  const members = Array.from({ length: others }, (_, at) => uuidOf(`other:${at}`));
  const at = new Date(0).toISOString();
  const begin = { conversationId, kind: 'group', name: 'Choir', members } as const;
  await direct.execute(new StartConversation(begin, metaOf(FOUNDER, at)));
  const writers = writersOn(ports, scheduler, fates);
  const told = wished.map(async (one, index): Promise<Told> => {
    const meta = metaOf(one.by, new Date(index * 1_000).toISOString());
    const command = one.make(meta);
    const reach = (writer: number) => writers[writer % WRITERS]?.(command) ?? 'nobody';
    const first = reach(one.writer);
    const again = one.isRepeated ? [reach(one.writer + 1)] : [];
    return { wish: one, meta, answers: await Promise.all([first, ...again]) };
  });
  const answers = await scheduler.waitFor(Promise.all(told));
  const logged = await ports.store.read(stream, 0, 10_000);
  const events = await Promise.all(logged.map(async (event) => ports.codec.decode(event, false)));
  // The stream holds nothing else.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { answers, events: events as readonly unknown[] as readonly ConversationEvent[] };
};

/** What was acknowledged is in the log once, what was refused is not. */
const notOnce = (told: readonly Told[], events: readonly ConversationEvent[]): string[] => {
  const starts = events.map(({ data }, seq) =>
    data.origin.command === events[seq - 1]?.data.origin.command ? '' : data.origin.command,
  );
  return told.flatMap(({ meta, answers }) => {
    const stored = starts.filter((command) => command === meta.commandId).length;
    const isAccepted = answers.some((answer) => typeof answer !== 'string' && !answer.duplicate);
    const expected = isAccepted ? 1 : 0;
    return stored === expected ? [] : [`a command is there ${stored} times, not ${expected}`];
  });
};

const courses = fc.asyncProperty(
  fc.scheduler(),
  fc.array(wish, { minLength: 2, maxLength: 16 }),
  crowd,
  fc.array(fc.constantFrom<Fate>('arrives', 'arrives', 'answer lost'), { maxLength: 8 }),
  async (scheduler, wished, others, fates) => {
    const { answers, events } = await happened(scheduler, { wished, others, fates });
    const broken = [
      ...breachesOf(events, { sizeMax: GROUP_MEMBERS_MAX }),
      ...notOnce(answers, events),
    ];
    if (broken.length > 0) throw new Error(broken.join('; '));
  },
);

describe(`A group that several writers write to at once (seed ${SEED})`, () => {
  it(
    `[V25] [V10] keeps its promises in ${RUNS} courses of events`,
    async () => {
      const found = await fc.check(courses, { numRuns: RUNS, seed: SEED });
      expect(found.failed ? fc.defaultReportMessage(found) : '').toBe('');
    },
    RUNS * RUN_MS_MAX,
  );

  it('would be found to break them, if a writer did not look at the revision', async () => {
    plant('two-owners-of-a-partition');
    const found = await fc.check(courses, { numRuns: 300, seed: SEED, endOnFailure: true });
    plant();
    expect(found.failed).toBe(true);
  }, 60_000);
});
