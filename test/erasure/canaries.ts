import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  EVENT_SCHEMAS,
  ownEvents,
  userEvents,
  type EventSchema,
  type Leaf,
  type ScriptaEvent,
} from '#domain';
import type { Said } from '#testing';

/** Bytes of chance in each canary. */
const CANARY_BYTES = 32;

const SCHEMAS = Object.entries<EventSchema>(EVENT_SCHEMAS);

/** Every personal field of every event: `<type>.<field>`. */
export const PERSONAL_FIELDS: readonly string[] = SCHEMAS.flatMap(([type, { fields }]) =>
  Object.entries(fields).flatMap(([name, { privacy }]) =>
    privacy === 'personal' ? [`${type}.${name}`] : [],
  ),
);

/** A canary for each personal field. */
export const newCanaries = (): ReadonlyMap<string, string> =>
  new Map(PERSONAL_FIELDS.map((field) => [field, randomBytes(CANARY_BYTES).toString('hex')]));

const openSample = (leaf: Leaf, name: string, ids: Readonly<Record<string, string>>): unknown => {
  const { kind, among = [], fields = {} } = leaf;
  switch (kind) {
    case 'uuid':
      return ids[name] ?? randomUUID();
    case 'text':
      return name;
    case 'integer':
      return 1;
    case 'time':
      return new Date().toISOString();
    case 'choice':
      return among[1] ?? among[0];
    case 'uuids':
      return [ids['other']];
    case 'rows':
      return [];
    case 'record':
      return Object.fromEntries(
        Object.entries(fields).map(([inner, of]) => [inner, openSample(of, inner, ids)]),
      );
  }
};

const streamOf = (
  type: string,
  { userId, conversationId }: Readonly<{ userId: string; conversationId: string }>,
): string => {
  if (type in userEvents) return `user-${userId}`;
  return type in ownEvents ? `own-${userId}` : `conversation-${conversationId}`;
};

/**
 * One event of each type that has a personal field, with its canary, by a person: their own in
 * their stream, the others in a group of theirs that somebody else is a member of. What they said
 * was passed on to where they never were.
 */
export const saidWith = (
  canaries: ReadonlyMap<string, string>,
  { by, other, conversationId }: Readonly<{ by: string; other: string; conversationId: string }>,
): readonly Said[] => {
  const ids = { by, other, userId: by, author: by, conversationId, blocked: other };
  const eventOf = (type: string, { fields }: EventSchema, about = ids): ScriptaEvent => {
    const data: Record<string, unknown> = {};
    for (const [name, leaf] of Object.entries(fields)) {
      const canary = canaries.get(`${type}.${name}`);
      // What a fold reads as JSON.
      const said = name === 'changes' ? JSON.stringify({ canary }) : canary;
      data[name] = canary === undefined ? openSample(leaf, name, about) : said;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made by the schema itself
    return { type, data } as unknown as ScriptaEvent;
  };
  const own = SCHEMAS.flatMap(([type, schema]) => {
    const isPersonal = PERSONAL_FIELDS.some((field) => field.startsWith(`${type}.`));
    if (!isPersonal && type !== 'MembersAdded') return [];
    const stream = streamOf(type, { userId: by, conversationId });
    return [{ stream, event: eventOf(type, schema) }];
  });
  const elsewhere = { ...ids, by: other, conversationId: randomUUID() };
  const copy = eventOf('MessageSent', EVENT_SCHEMAS.MessageSent, elsewhere);
  return [...own, { stream: `conversation-${elsewhere.conversationId}`, event: copy }];
};

/** Every file below a folder that holds one of some texts in its raw bytes, and which. */
export const foundIn = async (
  folder: string,
  canaries: ReadonlyMap<string, string>,
): Promise<readonly string[]> => {
  const found: string[] = [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const bytes = await readFile(join(entry.parentPath, entry.name));
    for (const [field, canary] of canaries) {
      const forms = [canary, Buffer.from(canary).toString('base64').slice(0, 80), canary.slice(32)];
      if (forms.some((form) => bytes.includes(form))) found.push(`${entry.name}: ${field}`);
    }
  }
  return found;
};
