import type { Proof, Recorded, ScriptaEvent } from '#domain';
import type { Random } from './clock.js';
import { Codec, UnreadableEvent, type Envelope } from './codec.js';
import { SHAPES, subjectOf, type Json, type Shape } from './event-shapes.js';
import type { LogEvent, NewEvent } from './event-store.js';
import type { Keys, SubjectKey } from './keys.js';
import { openDataOf } from './links.js';
import { isSealed, seal, unseal, type Sealed } from './sealing.js';
import { UPCASTERS, type Upcasters } from './upcasters.js';

const where = ({ type, stream, revision, position }: LogEvent): string =>
  `${type} at ${stream}@${revision} (position ${position})`;

const unreadable = (event: LogEvent, reason: string, cause?: unknown): never => {
  throw new UnreadableEvent(`${where(event)}: ${reason}`, { cause });
};

/** Events as JSON, personal leaves sealed by AES-256-GCM beside the SHA-256 of their plaintext. */
export class JsonCodec extends Codec {
  readonly #keys: Keys;
  readonly #random: Random;
  readonly #upcasters: Upcasters;
  readonly #shapes: ReadonlyMap<string, Shape>;

  /** `upcasters` and `shapes` are those of this version, but where a test runs another beside it. */
  constructor(
    keys: Keys,
    random: Random,
    upcasters: Upcasters = UPCASTERS,
    shapes: ReadonlyMap<string, Shape> = SHAPES,
  ) {
    super();
    this.#keys = keys;
    this.#random = random;
    this.#upcasters = upcasters;
    this.#shapes = shapes;
  }

  override async encode(event: ScriptaEvent, envelope: Envelope): Promise<NewEvent> {
    const { type, data } = event;
    const shape = this.#shapes.get(type);
    const wrong = shape ? shape.wrong(data) : 'type';
    if (!shape || wrong !== undefined)
      throw new UnreadableEvent(`${type} cannot be written: its field ${wrong} breaks the schema.`);
    const { id, correlationId, causationId } = envelope;
    const metadata = { $correlationId: correlationId, $causationId: causationId };
    const open: Record<string, unknown> = { v: shape.version, ...data };
    const texts = takenFrom(open, shape.personal);
    if (texts) {
      const subject = subjectOf(shape, open);
      const key = await this.#keys.ensure(subject);
      if (!key) throw new UnreadableEvent(`${type} cannot be sealed: ${subject} was erased.`);
      open['sealed'] = { subject, ...seal(texts, { id, type }, key, this.#random) };
    }
    return { id, type, data: open, metadata };
  }

  override decode(
    event: LogEvent,
    opened: boolean,
  ): Recorded<ScriptaEvent> | Promise<Recorded<ScriptaEvent>> {
    const shape = this.#shapes.get(event.type);
    if (!shape) return unreadable(event, 'this version does not know the type.');
    const { sealed } = event.data;
    if (sealed === undefined) return this.#recorded(event, shape, undefined);
    if (!isSealed(sealed)) return unreadable(event, 'its seal is malformed.');
    if (event.data['v'] === shape.version && sealed.subject !== subjectOf(shape, event.data))
      return unreadable(event, `it is sealed for somebody else than its ${shape.subjects.join()}.`);
    if (!opened) return this.#recorded(event, shape, {});
    const key = this.#keys.find(sealed.subject);
    return key instanceof Promise
      ? key.then((found) => this.#recorded(event, shape, textsOf(event, sealed, found)))
      : this.#recorded(event, shape, textsOf(event, sealed, key));
  }

  #recorded(event: LogEvent, shape: Shape, texts: Json | undefined): Recorded<ScriptaEvent> {
    const { id, type, stream, revision, position, metadata } = event;
    const isCurrent = event.data['v'] === shape.version;
    const data = isCurrent
      ? currentData(event, shape, texts)
      : this.#upcastData(event, shape, texts);
    const wrong = shape.wrong(data);
    if (wrong !== undefined) return unreadable(event, `its field ${wrong} breaks the schema.`);
    const { $correlationId: correlationId, $causationId: causationId } = metadata;
    if (typeof correlationId !== 'string' || typeof causationId !== 'string')
      return unreadable(event, 'its metadata does not say what caused it.');
    const place = { id, stream, revision, position, correlationId, causationId };
    const proof = proofOf(event, isCurrent, texts);
    // The schema, checked above, is what the type of the event is made from.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return {
      type,
      data,
      ...place,
      ...(proof ? { proof } : {}),
    } as unknown as Recorded<ScriptaEvent>;
  }

  /** The data of an event of an older version, brought up to the current one step by step. */
  #upcastData(event: LogEvent, shape: Shape, texts: Json | undefined): Json {
    const { v: written, sealed: _sealed, prev: _prev, ...open } = event.data;
    const { salt: _salt, ...personal } = texts ?? {};
    let data: Json = { ...open, ...personal };
    for (let version = Number(written); version !== shape.version; version += 1) {
      const next = this.#upcasters[event.type]?.[version];
      if (!next) return unreadable(event, `version ${String(written)} is not one that this reads.`);
      data = next(data);
    }
    const filled = { ...data };
    // Of optional leaves an older version may have had none.
    if (texts) fillBlanks(filled, shape.required);
    return filled;
  }
}

/** Moves the personal leaves out of the data; `undefined` where it has none. */
const takenFrom = (
  data: Record<string, unknown>,
  personal: readonly string[],
): Record<string, string> | undefined => {
  let texts: Record<string, string> | undefined;
  for (const name of personal) {
    const value = data[name];
    delete data[name];
    if (typeof value === 'string') (texts ??= {})[name] = value;
  }
  return texts;
};

/** The sealed texts; none once the person's key was destroyed. */
const textsOf = (event: LogEvent, sealed: Sealed, key: SubjectKey | undefined): Json => {
  if (!key) return {};
  try {
    return unseal(sealed, event, key);
  } catch (cause) {
    return unreadable(event, 'its seal cannot be opened.', cause);
  }
};

/** Of a seal that is not opened, or cannot be any more, all that remains is that it was there. */
const fillBlanks = (data: Record<string, unknown>, names: readonly string[]): void => {
  for (const name of names) data[name] ??= '';
};

/** What was opened says itself which of the optional leaves there are. */
const blanksOf = ({ required, personal }: Shape, texts: Json): readonly string[] =>
  'salt' in texts ? required : personal;

/** What a client needs to check the event; nothing where it was not opened, or carries no link. */
const proofOf = (
  { data: written }: LogEvent,
  isCurrent: boolean,
  texts: Json | undefined,
): Proof | undefined => {
  const { prev, sealed } = written;
  if (typeof prev !== 'string') return undefined;
  return {
    prev,
    ...(isSealed(sealed) ? { commit: sealed.commit } : {}),
    ...(typeof texts?.['salt'] === 'string' ? { salt: texts['salt'] } : {}),
    ...(isCurrent ? {} : { written: openDataOf(written) }),
  };
};

/** The data of an event of the current version, in the schema's order; `texts` are of its seal. */
const currentData = (event: LogEvent, shape: Shape, texts: Json | undefined): Json => {
  const { data: written } = event;
  const data: Record<string, unknown> = {};
  let known =
    1 + (written['sealed'] === undefined ? 0 : 1) + (written['prev'] === undefined ? 0 : 1);
  for (const { name, isPersonal } of shape.fields) {
    const value = isPersonal ? texts?.[name] : written[name];
    if (value === undefined) continue;
    if (!isPersonal) known += 1;
    data[name] = value;
  }
  if (Object.keys(written).length !== known)
    return unreadable(event, 'it has a field that the schema does not know.');
  if (texts) fillBlanks(data, blanksOf(shape, texts));
  return data;
};
