import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import {
  EVENT_SCHEMAS,
  type EventSchema,
  type EventType,
  type Leaf,
  type Recorded,
  type ScriptaEvent,
} from '#domain';
import type { Random } from './clock.js';
import { Codec, UnreadableEvent, type Envelope } from './codec.js';
import type { LogEvent, NewEvent } from './event-store.js';
import type { Keys, SubjectKey } from './keys.js';
import { UPCASTERS } from './upcasters.js';

/** AES-256-GCM's nonce and tag (NIST SP 800-38D). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Random bytes in each plaintext, so that a commitment cannot be guessed from a short text. */
const SALT_BYTES = 32;

type Json = Readonly<Record<string, unknown>>;
type Sealed = Readonly<{ subject: string; box: string; commit: string }>;
type Check = (value: unknown) => boolean;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u;

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isUuid: Check = (value) => typeof value === 'string' && UUID.test(value);
const isInteger: Check = (value) => Number.isSafeInteger(value);

/** What a leaf's value must look like, compiled once. */
const checkOf = (leaf: Leaf): Check => {
  const { among = [] } = leaf;
  switch (leaf.kind) {
    case 'uuid':
      return isUuid;
    case 'text':
      return (value) => typeof value === 'string';
    case 'integer':
      return isInteger;
    case 'time':
      return (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));
    case 'choice':
      return (value) => typeof value === 'string' && among.includes(value);
    case 'uuids':
      return (value) => Array.isArray(value) && value.every(isUuid);
    case 'rows': {
      const cells = among.map((kind) => (kind === 'integer' ? isInteger : isUuid));
      const isRow: Check = (row) =>
        Array.isArray(row) &&
        row.length === cells.length &&
        cells.every((isCell, column) => isCell(row[column]));
      return (value) => Array.isArray(value) && value.every(isRow);
    }
    case 'record': {
      const isSound = compiled(leaf.fields ?? {});
      return (value) => isRecord(value) && isSound(value) === undefined;
    }
  }
};

/** Gives the name of the first field that is wrong, missing or unknown. */
const compiled = (fields: EventSchema['fields']): ((data: Json) => string | undefined) => {
  const checks = new Map(
    Object.entries(fields).map(([name, leaf]) => [name, { check: checkOf(leaf), leaf }] as const),
  );
  return (data) => {
    for (const [name, { check, leaf }] of checks) {
      const value = data[name];
      if (value === undefined ? !leaf.optional : !check(value)) return name;
    }
    return Object.keys(data).find((name) => !checks.has(name));
  };
};

type Shape = Readonly<{
  schema: EventSchema;
  /** Personal leaves in RFC 8785's order of names. */
  personal: readonly string[];
  wrong: (data: Json) => string | undefined;
}>;

const shapes = new Map<string, Shape>(
  Object.entries<EventSchema>(EVENT_SCHEMAS).map(([type, schema]) => [
    type,
    {
      schema,
      personal: Object.keys(schema.fields)
        .filter((name) => schema.fields[name]?.privacy === 'personal')
        .toSorted(),
      wrong: compiled(schema.fields),
    },
  ]),
);

/**
 * RFC 8785 canonical JSON of a flat record of texts: names in order, and JSON.stringify's own
 * escapes, which are the RFC's.
 */
export const canonicalTexts = (texts: Readonly<Record<string, string>>): string =>
  JSON.stringify(
    Object.fromEntries(Object.entries(texts).toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))),
  );

const isEventType = (type: string): type is EventType => shapes.has(type);

const where = ({ type, stream, revision, position }: LogEvent): string =>
  `${type} at ${stream}@${revision} (position ${position})`;

const isSealed = (value: unknown): value is Sealed =>
  isRecord(value) &&
  typeof value['subject'] === 'string' &&
  typeof value['box'] === 'string' &&
  typeof value['commit'] === 'string';

/** Events as JSON, personal leaves sealed by AES-256-GCM beside the SHA-256 of their plaintext. */
export class JsonCodec extends Codec {
  readonly #keys: Keys;
  readonly #random: Random;

  constructor(keys: Keys, random: Random) {
    super();
    this.#keys = keys;
    this.#random = random;
  }

  override async encode(event: ScriptaEvent, envelope: Envelope): Promise<NewEvent> {
    const { type, data } = event;
    const shape = shapes.get(type);
    const wrong = shape ? shape.wrong(data) : 'type';
    if (!shape || wrong !== undefined)
      throw new UnreadableEvent(`${type} cannot be written: its field ${wrong} breaks the schema.`);
    const { id, correlationId, causationId } = envelope;
    const metadata = { $correlationId: correlationId, $causationId: causationId };
    const written = shape.personal.length === 0 ? data : await this.#seal(shape, event, id);
    return { id, type, data: { v: shape.schema.version, ...written }, metadata };
  }

  async #seal(
    { schema, personal }: Shape,
    { type, data }: ScriptaEvent,
    id: string,
  ): Promise<Json> {
    const open: Record<string, unknown> = { ...data };
    const texts: Record<string, string> = {};
    for (const name of personal) {
      const value = open[name];
      delete open[name];
      if (typeof value === 'string') texts[name] = value;
    }
    if (Object.keys(texts).length === 0) return open;
    const subject = String(open[schema.subject]);
    const key = await this.#keys.ensure(subject);
    if (!key) throw new UnreadableEvent(`${type} cannot be sealed: ${subject} was erased.`);
    texts['salt'] = this.#random.bytes(SALT_BYTES).toString('base64');
    const plaintext = canonicalTexts(texts);
    const nonce = this.#random.bytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key.secret, nonce);
    cipher.setAAD(Buffer.from(`${id}:${type}`));
    const sealed = Buffer.concat([nonce, cipher.update(plaintext, 'utf8'), cipher.final()]);
    const box = Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64');
    const commit = createHash('sha256').update(plaintext).digest('hex');
    return { ...open, sealed: { subject, box, commit } };
  }

  override decode(
    event: LogEvent,
    opened: boolean,
  ): Recorded<ScriptaEvent> | Promise<Recorded<ScriptaEvent>> {
    const shape = this.#shapeOf(event);
    const { v: _version, sealed, ...open } = upcast(event, shape.schema.version);
    if (shape.personal.length === 0 || sealed === undefined)
      return this.#recorded(event, shape, open);
    if (!isSealed(sealed)) throw new UnreadableEvent(`${where(event)}: its seal is malformed.`);
    if (!opened) return this.#recorded(event, shape, { ...open, ...blank(shape) });
    const key = this.#keys.find(sealed.subject);
    return key instanceof Promise
      ? key.then((found) => this.#opened(event, shape, open, found && { sealed, key: found }))
      : this.#opened(event, shape, open, key && { sealed, key });
  }

  #shapeOf(event: LogEvent): Shape {
    const shape = shapes.get(event.type);
    if (!shape) throw new UnreadableEvent(`${where(event)}: this version does not know the type.`);
    return shape;
  }

  #opened(
    event: LogEvent,
    shape: Shape,
    open: Json,
    lock: Readonly<{ sealed: Sealed; key: SubjectKey }> | undefined,
  ): Recorded<ScriptaEvent> {
    const texts = lock ? unseal(event, lock.sealed, lock.key) : blank(shape);
    return this.#recorded(event, shape, { ...open, ...texts });
  }

  #recorded(event: LogEvent, { wrong }: Shape, data: Json): Recorded<ScriptaEvent> {
    const field = wrong(data);
    if (field !== undefined || !isEventType(event.type))
      throw new UnreadableEvent(`${where(event)}: its field ${field} breaks the schema.`);
    const { id, stream, revision, position, metadata } = event;
    const { $correlationId: correlation, $causationId: causation } = metadata;
    const correlationId = typeof correlation === 'string' ? correlation : id;
    const causationId = typeof causation === 'string' ? causation : id;
    const place = { id, stream, revision, position, correlationId, causationId };
    // The schema, checked above, is what the type of the event is made from.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return { type: event.type, data, ...place } as unknown as Recorded<ScriptaEvent>;
  }
}

/** Personal leaves of an erased person, or of a reader that needs none: the empty text. */
const blank = ({ personal, schema }: Shape): Json =>
  Object.fromEntries(
    personal.filter((name) => !schema.fields[name]?.optional).map((name) => [name, '']),
  );

const unseal = (event: LogEvent, { box, commit }: Sealed, { secret }: SubjectKey): Json => {
  const bytes = Buffer.from(box, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(`${event.id}:${event.type}`));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const inner = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    const plaintext = Buffer.concat([decipher.update(inner), decipher.final()]);
    if (createHash('sha256').update(plaintext).digest('hex') !== commit)
      throw new Error('The plaintext is not what was committed to.');
    const texts: unknown = JSON.parse(plaintext.toString('utf8'));
    if (!isRecord(texts)) throw new Error('The plaintext is not a record.');
    const { salt: _salt, ...personal } = texts;
    return personal;
  } catch (cause) {
    throw new UnreadableEvent(`${where(event)}: its seal cannot be opened.`, { cause });
  }
};

/** The data as the current version has it; a newer version is refused. */
const upcast = (event: LogEvent, current: number): Json => {
  let { data } = event;
  for (let version = Number(data['v']); version !== current; version += 1) {
    const next = UPCASTERS[event.type]?.[version];
    if (!next)
      throw new UnreadableEvent(
        `${where(event)}: version ${String(data['v'])} is not one that this version reads.`,
      );
    data = next(data);
  }
  return data;
};
