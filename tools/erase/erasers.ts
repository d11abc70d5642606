import { createDecipheriv } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { claimStreamOf, type Ports } from '#commands';

/** Documents that a collection of `operations` gave up. */
export type Erased = Readonly<{ collection: string; documents: number }>;

/** Whose traces go: the person, and the claim that stands for their number. */
export type Whose = Readonly<{ userId: string; phoneClaim: string | undefined }>;

/** A store of small documents that may hold something of a person, and how it is rid of it. */
type Eraser = Readonly<{
  collection: string;
  idsOf: (ports: Ports, whose: Whose) => Promise<readonly string[]>;
}>;

const idsWhere = async (
  { operations }: Ports,
  collection: string,
  filter: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> => {
  const found = await operations.find<object>(collection, { filter });
  return found.map(({ _id }) => _id);
};

const ofPerson = (collection: string): Eraser => ({
  collection,
  idsOf: (ports, { userId }) => idsWhere(ports, collection, { userId }),
});

/** What is over goes too, whosesoever: a process that ended has left it. */
const withExpired = (collection: string): Eraser => ({
  collection,
  idsOf: async (ports, { userId }) => [
    ...(await idsWhere(ports, collection, { userId })),
    ...(await idsWhere(ports, collection, { expiresAtMs: { $lt: ports.clock.now() } })),
  ],
});

const IV_BYTES = 12;
const TAG_BYTES = 16;

const opened = (key: Buffer, sealed: string): string => {
  const bytes = Buffer.from(sealed, 'base64');
  const open = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
  open.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return open.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + open.final('utf8');
};

/** Codes under way: each holds a number, sealed under a key of the deployment. */
const codes: Eraser = {
  collection: 'codes',
  idsOf: async (ports, { phoneClaim }) => {
    const [own, claims] = [ports.keys.derive('codes'), ports.keys.derive('claims')];
    const found = await ports.operations.find<{ phone: string; expiresAtMs: number }>('codes', {
      filter: {},
    });
    const isTheirs = (phone: string): boolean =>
      claimStreamOf(claims, 'phone', opened(own, phone)) === phoneClaim;
    return found
      .filter(({ phone, expiresAtMs }) => expiresAtMs < ports.clock.now() || isTheirs(phone))
      .map(({ _id }) => _id);
  },
};

const ERASERS: readonly Eraser[] = [
  ofPerson('sessions'),
  ofPerson('exports'),
  ofPerson('drafts'),
  withExpired('tickets'),
  codes,
];

/** Collections of `operations` without a text of people: ids, places in the log, counts, times. */
export const WITHOUT_TEXTS = ['spans', 'span-nodes', 'parked', 'policies', 'projectors', 'badges'];

/** Rids the small documents of a running system of a person. */
export const eraseFromOperations = async (
  ports: Ports,
  whose: Whose,
): Promise<readonly Erased[]> => {
  const erased: Erased[] = [];
  for (const { collection, idsOf } of ERASERS) {
    const ids = new Set(await idsOf(ports, whose));
    for (const id of ids) await ports.operations.take(collection, id);
    erased.push({ collection, documents: ids.size });
  }
  return erased;
};

/** Removes the files that were made for a person: exports of their data. */
export const eraseFiles = async (
  dataDir: string,
  userId: string,
): Promise<readonly Readonly<{ store: string; files: number }>[]> => {
  const folder = join(dataDir, 'exports', userId);
  const files = await readdir(folder).catch(() => []);
  await rm(folder, { recursive: true, force: true });
  return [{ store: 'exports', files: files.length }];
};
