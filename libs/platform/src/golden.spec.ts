/* oxlint-disable typescript/no-unsafe-type-assertion -- the files are what the codec wrote */
import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import { EVENT_SCHEMAS, type EventSchema, type Leaf, type ScriptaEvent } from '#domain';
import { MemoryKeys } from '#testing';
import { SystemRandom } from './clock.js';
import type { LogEvent } from './event-store.js';
import { JsonCodec } from './json-codec.js';

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

describe('the golden streams', () => {
  it.each(schemas)('have %s as the schema now is; a change needs a new version', (type, schema) => {
    const file = fileOf(type, schema.version);
    expect(existsSync(file), `SCRIPTA_WRITE_GOLDEN=1 writes ${file}`).toBe(true);
    expect(read(file).shape, `${type} changed: give it version ${schema.version + 1}`).toBe(
      shapeHash(schema),
    );
  });

  it.each(readdirSync(FOLDER))('are read as they always were: %s', async (name) => {
    const { event, secret, opened, erased } = read(join(FOLDER, name));
    const keys = new MemoryKeys(new Map([[PERSON, { secret: Buffer.from(secret, 'base64') }]]));
    const codec = new JsonCodec(keys, new SystemRandom());
    expect(await dataOf(codec, event)).toEqual(opened);
    await keys.destroy(PERSON);
    expect(await dataOf(codec, event)).toEqual(erased);
  });

  it('miss no version that there ever was', () => {
    for (const [type, { version }] of schemas)
      for (let past = 1; past <= version; past += 1)
        expect(existsSync(fileOf(type, past))).toBe(true);
  });
});
