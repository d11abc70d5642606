import { EVENT_SCHEMAS, type EventSchema, type Leaf } from '#domain';

/** JSON of which nothing is known but that it is an object. */
export type Json = Readonly<Record<string, unknown>>;

type Check = (value: unknown) => boolean;

/** One type of event with its rules, compiled once. */
export type Shape = Readonly<{
  version: number;
  /** The fields that name whose key seals the personal leaves: the first that is there. */
  subjects: readonly string[];
  /** In the order of the schema. */
  fields: readonly Readonly<{ name: string; isPersonal: boolean }>[];
  /** Personal leaves in RFC 8785's order of names. */
  personal: readonly string[];
  /** Those of them that are always there. */
  required: readonly string[];
  /** The name of the first field that is wrong, missing or unknown; `undefined` if all is well. */
  wrong: (data: Json) => string | undefined;
}>;

/** Lower case: two spellings of one id would be two ids. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** RFC 3339 in UTC. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** Whether a value is an object with fields. */
export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isUuid: Check = (value) => typeof value === 'string' && UUID.test(value);
const isInteger: Check = (value) => Number.isSafeInteger(value);
// Half of a surrogate pair has no UTF-8, so no commitment to it could be checked.
const isText: Check = (value) => typeof value === 'string' && value.isWellFormed();
const isTime: Check = (value) => typeof value === 'string' && TIME.test(value);

const CELLS: Readonly<Record<string, Check>> = { integer: isInteger, text: isText };

const isRowOf = (columns: readonly string[]): Check => {
  const cells = columns.map((kind) => CELLS[kind] ?? isUuid);
  return (row) =>
    Array.isArray(row) &&
    row.length === cells.length &&
    cells.every((isCell, column) => isCell(row[column]));
};

const checkOf = ({ kind, among = [], fields = {} }: Leaf): Check => {
  switch (kind) {
    case 'uuid':
      return isUuid;
    case 'text':
      return isText;
    case 'integer':
      return isInteger;
    case 'time':
      return isTime;
    case 'choice':
      return (value) => typeof value === 'string' && among.includes(value);
    case 'uuids':
      return (value) => Array.isArray(value) && value.every(isUuid);
    case 'rows': {
      const isRow = isRowOf(among);
      return (value) => Array.isArray(value) && value.every(isRow);
    }
    case 'record': {
      const wrong = wrongIn(fields);
      return (value) => isRecord(value) && wrong(value) === undefined;
    }
  }
};

const wrongIn = (fields: EventSchema['fields']): ((data: Json) => string | undefined) => {
  const rules = Object.entries(fields).map(([name, leaf]) => ({
    name,
    isSound: checkOf(leaf),
    optional: leaf.optional,
  }));
  return (data) => {
    let known = 0;
    for (const { name, isSound, optional } of rules) {
      const value = data[name];
      if (value === undefined) {
        if (!optional) return name;
      } else {
        if (!isSound(value)) return name;
        known += 1;
      }
    }
    const given = Object.keys(data);
    return given.length === known
      ? undefined
      : given.find((name) => data[name] !== undefined && !(name in fields));
  };
};

/** Compiles a schema. Throws where a field would collide with what the codec itself writes. */
export const shapeOf = (type: string, { version, subject, fields }: EventSchema): Shape => {
  const names = Object.keys(fields);
  for (const reserved of ['v', 'sealed', 'salt', 'prev'])
    if (names.includes(reserved)) throw new Error(`${type}: ${reserved} is the codec's own field.`);
  const personal = names.filter((name) => fields[name]?.privacy === 'personal').toSorted();
  const subjects = typeof subject === 'string' ? [subject] : subject;
  if (personal.length > 0 && subjects.some((name) => fields[name]?.kind !== 'uuid'))
    throw new Error(`${type} has personal leaves, but ${subjects.join()} names no person.`);
  const placed = names.map((name) => ({ name, isPersonal: personal.includes(name) }));
  const required = personal.filter((name) => fields[name]?.optional !== true);
  return { version, subjects, fields: placed, personal, required, wrong: wrongIn(fields) };
};

/** Whose key seals the personal leaves of an event. */
export const subjectOf = ({ subjects }: Shape, data: Json): string =>
  String(data[subjects.find((name) => data[name] !== undefined) ?? '']);

/** Every type of event the log may hold. */
export const SHAPES: ReadonlyMap<string, Shape> = new Map(
  Object.entries<EventSchema>(EVENT_SCHEMAS).map(([type, schema]) => [type, shapeOf(type, schema)]),
);
