import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { QUERIES, type ViewQuery } from '#platform';
import { append, chatterOf } from '#testing';
import { openStores, projectAll, type Stores } from './stores.js';

const SEED = 7;
const [SOME, OTHER, PERSON] = ['conversation', 'another', 'person'];
const STRETCH = { from: 10, to: 1_000_000 };

/** One of each question; a question without a sample does not compile. */
const SAMPLES = {
  staysOf: QUERIES.staysOf(PERSON),
  placesOf: QUERIES.placesOf(PERSON),
  membersAfter: QUERIES.membersAfter(SOME, PERSON, 50),
  factAfterSeq: QUERIES.factAfterSeq(SOME, 10),
  factBeforeSeq: QUERIES.factBeforeSeq(SOME, 10),
  factsWithin: QUERIES.factsWithin(SOME, STRETCH, -1, 50),
  messageBefore: QUERIES.messageBefore(SOME, 10),
  factsBetween: QUERIES.factsBetween([SOME, OTHER], STRETCH, 200),
  ownReceiptsMoved: QUERIES.ownReceiptsMoved(PERSON, STRETCH, 1_000),
  receiptsMoved: QUERIES.receiptsMoved([SOME, OTHER], STRETCH, 1_000),
  copiesOf: QUERIES.copiesOf(PERSON, ''),
  repliesAfter: QUERIES.repliesAfter(SOME, 10, 100),
  followingsOf: QUERIES.followingsOf(PERSON),
  invitesOf: QUERIES.invitesOf(SOME),
  waitingIn: QUERIES.waitingIn(SOME),
  waitingOf: QUERIES.waitingOf(PERSON),
  reactionsSet: QUERIES.reactionsSet([SOME, OTHER], STRETCH, 200),
  noticesBefore: QUERIES.noticesBefore(PERSON, 1_000, 50),
  deletionsDue: QUERIES.deletionsDue('2026-01-01T00:00:00.000Z', 10),
  arrangedSince: QUERIES.arrangedSince(PERSON, 10, 100),
  savedBefore: QUERIES.savedBefore(PERSON, 1_000, 100),
  scheduledDue: QUERIES.scheduledDue('2026-01-01T00:00:00.000Z', 10),
  scheduledBefore: QUERIES.scheduledBefore(PERSON, 1_000, 100),
  mentionsOf: QUERIES.mentionsOf(
    { conversationId: SOME, userId: PERSON },
    { seq: 5, place: 9 },
    99,
  ),
  revokedSince: QUERIES.revokedSince('2026-11-23T12:00:00.000Z'),
} as const satisfies Readonly<Record<keyof typeof QUERIES, ViewQuery>>;

/** Questions by id: of readers, of the runner, of a dump. */
const BY_ID: Readonly<Record<string, ViewQuery>> = {
  'one document': { view: 'history', filter: { _id: 'a' } },
  'some documents': { view: 'receipts', filter: { _id: { $in: ['a', 'b'] } } },
  'a guard': { view: 'members', filter: { _id: 'a', position: { $lt: 5 } } },
  'a page of a dump': {
    view: 'history',
    filter: { _id: { $gt: 'a' } },
    sort: { _id: 1 },
    limit: 9,
  },
};

/** Stages that read no more than they must: no scan of a collection, no sort in memory. */
const INDEXED = new Set([
  'IDHACK',
  'IXSCAN',
  'CLUSTERED_IXSCAN',
  'EXPRESS_IXSCAN',
  'FETCH',
  'SORT_MERGE',
  'LIMIT',
  'OR',
]);

/** The part of an answer to explain that says how a question is answered. */
const planned: z.ZodType<Stage> = z.lazy(() =>
  z.object({
    stage: z.string(),
    inputStage: planned.optional(),
    inputStages: planned.array().optional(),
  }),
);
type Stage = {
  stage: string;
  inputStage?: Stage | undefined;
  inputStages?: Stage[] | undefined;
};
const explained = z.object({ queryPlanner: z.object({ winningPlan: planned }) });

const stagesOf = (plan: Stage): readonly string[] => [
  plan.stage,
  ...(plan.inputStage ? stagesOf(plan.inputStage) : []),
  ...(plan.inputStages ?? []).flatMap(stagesOf),
];

describe(`questions to the read models (seed ${SEED})`, () => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await openStores();
    const { store, codec } = stores.ports;
    await append(store, codec, chatterOf({ seed: SEED, events: 400 }));
    await projectAll(stores);
  });
  afterAll(() => stores.end());

  const planOf = async ({ view, filter, sort, limit }: ViewQuery): Promise<readonly string[]> => {
    const collection = stores.mongo.db('views').collection<{ _id: string }>(view);
    const options = { ...(sort ? { sort } : {}), ...(limit === undefined ? {} : { limit }) };
    const answer = await collection.find(filter, options).explain('queryPlanner');
    return stagesOf(explained.parse(answer).queryPlanner.winningPlan);
  };

  it.each([...Object.entries(SAMPLES), ...Object.entries(BY_ID)])(
    'are answered from an index: %s',
    async (_, query) => {
      const stages = await planOf(query);
      expect(stages.filter((stage) => !INDEXED.has(stage))).toEqual([]);
    },
  );

  it('would show it if one were not', async () => {
    expect(await planOf({ view: 'history', filter: { type: 'message.sent' } })).toContain(
      'COLLSCAN',
    );
    const sorted = { filter: { conversationId: SOME }, sort: { at: 1 } } as const;
    expect(await planOf({ view: 'history', ...sorted })).toContain('SORT');
  });
});
