/** Who may read a leaf: anyone who holds the log (`open`), or only who holds a person's key. */
export type Privacy = 'open' | 'personal';

/** What a leaf's value must look like. */
export type LeafKind =
  'uuid' | 'text' | 'integer' | 'time' | 'choice' | 'uuids' | 'rows' | 'record';

/**
 * One field of an event. It can only be made through `open` or `personal`, so an unmarked leaf does
 * not compile.
 */
export type Leaf<Value = unknown, Optional extends boolean = boolean> = Readonly<{
  kind: LeafKind;
  privacy: Privacy;
  optional: Optional;
  /** For `choice` the allowed values; for `rows` the kind of each column. */
  among?: readonly string[];
  /** For `record` its own fields. */
  fields?: Fields;
  /** Never set: carries the type of the value. */
  value?: Value;
}>;

/** The fields of one event, by name. */
export interface Fields {
  readonly [name: string]: Leaf;
}

type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends Leaf<unknown, false> ? never : K;
}[keyof F];
type ValueOf<L> = L extends Leaf<infer Value> ? Value : never;

/** The data that fields describe. */
export type DataOf<F extends Fields> = Readonly<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> } & {
    [K in OptionalKeys<F>]?: ValueOf<F[K]>;
  }
>;

type Cell<Kind> = Kind extends 'integer' ? number : string;
type Row<Columns extends readonly string[]> = Readonly<{
  [I in keyof Columns]: Cell<Columns[I]>;
}>;

const leaf = <Value>(kind: LeafKind, privacy: Privacy): Leaf<Value, false> => ({
  kind,
  privacy,
  optional: false,
});

/** Leaves that stay readable for ever. */
export const open = {
  uuid: leaf<string>('uuid', 'open'),
  text: leaf<string>('text', 'open'),
  integer: leaf<number>('integer', 'open'),
  time: leaf<string>('time', 'open'),
  uuids: leaf<readonly string[]>('uuids', 'open'),
  choice: <const Values extends readonly string[]>(
    ...among: Values
  ): Leaf<Values[number], false> => ({ ...leaf('choice', 'open'), among }),
  rows: <const Columns extends readonly ('uuid' | 'integer' | 'text')[]>(
    ...among: Columns
  ): Leaf<readonly Row<Columns>[], false> => ({ ...leaf('rows', 'open'), among }),
  record: <const F extends Fields>(fields: F): Leaf<DataOf<F>, false> => ({
    ...leaf('record', 'open'),
    fields,
  }),
};

/** Leaves that are sealed under a person's key, and gone when that key is destroyed. */
export const personal = {
  text: leaf<string>('text', 'personal'),
};

/** The same leaf, which may be absent. */
export const optional = <Value>(of: Leaf<Value>): Leaf<Value, true> => ({ ...of, optional: true });

/**
 * One type of event: its fields, the version of that shape, and the field that names the person
 * whose key seals the personal leaves; of several fields the first that is there.
 */
export type EventSchema = Readonly<{
  version: number;
  subject: string | readonly string[];
  fields: Fields;
}>;

/** The union of the events that a table of schemas describes. */
export type EventOf<Schemas extends Readonly<Record<string, EventSchema>>> = {
  [Type in keyof Schemas & string]: Readonly<{
    type: Type;
    data: DataOf<Schemas[Type]['fields']>;
  }>;
}[keyof Schemas & string];

/** The fields of every event that a person's command caused: who, when, and which command. */
export const stamp = {
  by: open.uuid,
  at: open.time,
  /** The command: its id, the device, its place `n` in that device's outbox, the body's HMAC. */
  origin: open.record({
    command: open.uuid,
    device: optional(open.uuid),
    n: optional(open.integer),
    digest: optional(open.text),
  }),
} as const;

/** A schema at version 1, sealed under the key of the person who acted. */
export const event = <const F extends Fields>(
  fields: F,
): Readonly<{ version: number; subject: string; fields: F }> => ({
  version: 1,
  subject: 'by',
  fields,
});
