import { userInfo } from 'node:os';
import { randomUUID } from 'node:crypto';
import { ACCESS_STREAM } from '#domain';
import type { OpenLog } from './log.js';
import type { Options } from './options.js';

/** What an auditor is about to look at: which events, between which positions (-1: no end). */
export type Scope = Readonly<{ scope: string; from: number; to: number }>;

/**
 * Writes down in the log who looks at what and what for, before anything is shown. Throws without
 * a purpose: then nothing is shown either.
 */
export const recordAccess = async (
  { store, codec }: OpenLog,
  { scope, from, to }: Scope,
  { purpose, as: who = userInfo().username, open }: Options,
): Promise<void> => {
  if (purpose === undefined || purpose.trim() === '')
    throw new Error('Say what for: --purpose TEXT. It is written down in the log.');
  const at = new Date().toISOString();
  const content = open ? 'opened' : 'sealed';
  const data = { at, who, purpose, scope, from, to, content } as const;
  const id = randomUUID();
  const envelope = { id, correlationId: id, causationId: id };
  const event = await codec.encode({ type: 'RangeReplayed', data }, envelope);
  await store.append(ACCESS_STREAM, 'any', [event]);
};
