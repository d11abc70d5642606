import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { EVENT_SCHEMAS, type EventSchema, type Leaf, type Recorded } from '#domain';
import { isOfOneStream } from './erasing-views.js';
import { PROJECTIONS } from './read-model.js';

const CANARY = randomUUID();

const sampleOf = ({ kind, privacy, among = [], fields = {} }: Leaf): unknown => {
  if (privacy === 'personal') return CANARY;
  if (kind === 'record') return sampleData(fields);
  if (kind === 'uuids') return [randomUUID()];
  if (kind === 'rows') return [among.map((cell) => (cell === 'integer' ? 1 : randomUUID()))];
  if (kind === 'integer') return 1;
  return kind === 'choice' ? among[0] : randomUUID();
};

const sampleData = (fields: EventSchema['fields']): object =>
  Object.fromEntries(Object.entries(fields).map(([name, leaf]) => [name, sampleOf(leaf)]));

it('[Z6] no view that several kinds of streams make holds a text of a person', () => {
  const others = PROJECTIONS.filter((projection) => !isOfOneStream(projection));
  expect(others.map(({ name }) => name)).toEqual(['members', 'receipts', 'followings']);
  for (const projection of others)
    for (const [type, { fields }] of Object.entries<EventSchema>(EVENT_SCHEMAS)) {
      const place = { id: randomUUID(), stream: 'x', revision: 1, position: 1 };
      const caused = { correlationId: 'c', causationId: 'c' };
      const data = sampleData(fields);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made by the schema itself
      const event = { type, data, ...place, ...caused } as Recorded;
      for (const key of projection.keysOf(event))
        expect(JSON.stringify(projection.evolve(undefined, event, key) ?? null)).not.toContain(
          CANARY,
        );
    }
});
