/* oxlint-disable typescript/no-unsafe-type-assertion -- the files are what the codec wrote */
import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import {
  EVENT_SCHEMAS,
  open,
  optional,
  type EventSchema,
  type Leaf,
  type ScriptaEvent,
} from '#domain';
import { MemoryKeys } from '#testing';
import { SystemRandom } from './clock.js';
import type { LogEvent } from './event-store.js';
import { JsonCodec } from './json-codec.js';
import { UPCASTERS } from './upcasters.js';

/**
 * Streams as earlier versions wrote them, one file for each version of each event: what a release
 * wrote is read by every later one [V33]. `SCRIPTA_WRITE_GOLDEN=1` adds the files that are missing;
 * the `event` of one that exists is never changed.
 */
const FOLDER = join(import.meta.dirname, 'golden');

type Golden = Readonly<{
  /** SHA-256 of the schema's shape in RFC 8785 form. */
  shape: string;
  /** Base64 of the subject's key. */
  secret: string;
  event: LogEvent;
  /** How the event reads today: opened, and once its key was destroyed. */
  opened: object;
  erased: object;
}>;

const PERSON = '7d9f2f64-1a0c-4d0e-9a3c-5a2c4cf7f001';

const sampleOf = (name: string, leaf: Leaf): unknown => {
  const { kind, among = [], fields = {} } = leaf;
  switch (kind) {
    case 'uuid':
      return PERSON;
    case 'text':
      return `${name}: naïve “🙂” \u2028 \\ "quoted"`;
    case 'integer':
      return 42;
    case 'time':
      return '2026-11-23T12:34:56.789Z';
    case 'choice':
      return among[0];
    case 'uuids':
      return [PERSON, '7d9f2f64-1a0c-4d0e-9a3c-5a2c4cf7f002'];
    case 'rows':
      return [among.map((cell) => (cell === 'integer' ? 7 : PERSON))];
    case 'record':
      return sampleData(fields);
  }
};

const sampleData = (fields: EventSchema['fields']): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([name, leaf]) => [name, sampleOf(name, leaf)]));

const shapeHash = (schema: EventSchema): string => hash('sha256', canonicalize(schema) ?? '');

const schemas = Object.entries<EventSchema>(EVENT_SCHEMAS);
const fileOf = (type: string, version: number): string => join(FOLDER, `${type}.v${version}.json`);

const read = (file: string): Golden => JSON.parse(readFileSync(file, 'utf8')) as Golden;

const dataOf = async (codec: JsonCodec, event: LogEvent): Promise<object> =>
  (await codec.decode(event, true)).data;

const write = async (type: string, schema: EventSchema): Promise<void> => {
  const keys = new MemoryKeys();
  const codec = new JsonCodec(keys, new SystemRandom());
  const data = sampleData(schema.fields);
  const id = '0b0e7d4e-58f5-4f62-8d8c-7f5a5f5f0001';
  const encoded = await codec.encode({ type, data } as unknown as ScriptaEvent, {
    id,
    correlationId: id,
    causationId: id,
  });
  const secret = (await keys.ensure(PERSON))?.secret.toString('base64') ?? '';
  const event: LogEvent = { ...encoded, stream: 'golden', revision: 0, position: 0 };
  const opened = await dataOf(codec, event);
  await keys.destroy(PERSON);
  const erased = await dataOf(codec, event);
  const golden: Golden = { shape: shapeHash(schema), secret, event, opened, erased };
  writeFileSync(fileOf(type, schema.version), `${JSON.stringify(golden, null, 2)}\n`);
};

if (process.env['SCRIPTA_WRITE_GOLDEN'] === '1') {
  for (const [type, schema] of schemas)
    if (!existsSync(fileOf(type, schema.version))) await write(type, schema);
}

const WRITING = 'SCRIPTA_WRITE_GOLDEN=1 npx vitest run libs/platform/src/golden.spec.ts';

/** What to do about a schema that is not what its golden stream was written by. */
const changed = (type: string, { version }: EventSchema): string =>
  [
    `The schema of ${type} is no longer what version ${version} was, and logs hold that version.`,
    `1. libs/domain/src/…/events.ts: give ${type} \`version: ${version + 1}\``,
    `   ({ ...event({…}), version: ${version + 1} }).`,
    `2. libs/platform/src/upcasters.ts: say under ${type}, ${version} how data of version`,
    `   ${version} reads as version ${version + 1}.`,
    `3. ${WRITING}`,
    `4. Never touch libs/platform/src/golden/${type}.v${version}.json: it is what was stored.`,
    '5. Deploy readers before writers: docs/how-to/change-an-event.md.',
  ].join('\n');

/** Upcasters that a type lacks: from each version that there was to the next. */
const lacking = (type: string, { version }: EventSchema): readonly number[] =>
  Array.from({ length: version - 1 }, (_, past) => past + 1).filter(
    (past) => UPCASTERS[type]?.[past] === undefined,
  );

describe('the golden streams', () => {
  it.each(schemas)(
    '[Z19] have %s as the schema now is; a change needs a new version',
    (type, schema) => {
      const file = fileOf(type, schema.version);
      const written = existsSync(file) ? read(file).shape : 'none yet';
      const what = written === 'none yet' ? `${type}: ${WRITING}` : changed(type, schema);
      const now = { shape: shapeHash(schema), what: '' };
      // The reason stands in the comparison that fails.
      expect({ shape: written, what: written === now.shape ? '' : what }).toEqual(now);
    },
  );

  it.each(readdirSync(FOLDER))('[V33] are read as they always were: %s', async (name) => {
    const { event, secret, opened, erased } = read(join(FOLDER, name));
    const keys = new MemoryKeys(new Map([[PERSON, { secret: Buffer.from(secret, 'base64') }]]));
    const codec = new JsonCodec(keys, new SystemRandom());
    expect(await dataOf(codec, event)).toEqual(opened);
    await keys.destroy(PERSON);
    expect(await dataOf(codec, event)).toEqual(erased);
  });

  it('[Z19] [V33] say what to do about a schema that was changed', () => {
    for (const [type, schema] of schemas) {
      const fields = { ...schema.fields, more: optional(open.text) };
      const other = { ...schema, fields };
      expect(shapeHash(other)).not.toBe(shapeHash(schema));
      expect(changed(type, other)).toContain(`version: ${schema.version + 1}`);
      expect(lacking(type, { ...schema, version: schema.version + 1 })).toEqual([schema.version]);
    }
  });

  it('[Z19] [V33] can each be brought up to the version of today', () => {
    for (const [type, schema] of schemas)
      expect({ type, lacking: lacking(type, schema) }).toEqual({ type, lacking: [] });
  });

  it('[V33] miss no version that there ever was', () => {
    for (const [type, { version }] of schemas)
      for (let past = 1; past <= version; past += 1)
        expect(existsSync(fileOf(type, past))).toBe(true);
  });
});
