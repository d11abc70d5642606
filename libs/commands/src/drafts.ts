import { Inject, Injectable } from '@nestjs/common';
import { CommandHandler } from '@nestjs/cqrs';
import canonicalize from 'canonicalize';
import type { z } from 'zod';
import { Command, reject } from '#domain';
import { seal, unseal, type Sealed } from '#platform';
import type { Accepted } from './held.js';
import type { sending } from './message-commands.js';
import { PORTS, type Ports } from './ports.js';

/**
 * Where `operations` holds drafts. The person writes them, their devices read them; losing them
 * loses what was not said yet. What they say is sealed under the person's key.
 */
export const DRAFTS = 'drafts';
/** Drafts that are kept of one person; the oldest goes for the next. */
export const DRAFTS_MAX = 200;
/** How long it is remembered that a draft was taken away, for devices to hear of it. */
const GONE_MS = 60 * 60 * 1_000;

/** What a draft says: the parts of a message, perhaps not whole yet. */
export type DraftParts = z.infer<typeof sending>;

/** A draft as it is kept; without `box` it was taken away. */
export type KeptDraft = Readonly<{
  _id: string;
  userId: string;
  conversationId: string;
  /** Another at every change. */
  changeId: string;
  changedAtMs: number;
  /** The device that wrote it. */
  by?: string;
  /** When nothing of it need be remembered any more. */
  expiresAtMs?: number;
}> &
  Partial<Pick<Sealed, 'box' | 'commit'>>;

/** A draft as the person's devices read it. */
export type Draft = Readonly<{
  conversationId: string;
  at: string;
  by?: string;
  draft: DraftParts;
}>;

/** Keep what one has not said yet; nothing in it takes it away. */
export class SetDraft extends Command<
  'SetDraft',
  Readonly<{ conversationId: string; draft: DraftParts }>
> {
  readonly type = 'SetDraft';
}

const keyOf = (userId: string, conversationId: string): string => `${userId}:${conversationId}`;
const bound = (id: string) => ({ id, type: 'Draft' });

/** What people have not said yet, on all of their devices. Overwritten as they type: no facts. */
@Injectable()
export class Drafts {
  #prepared: Promise<void> | undefined;

  constructor(@Inject(PORTS) private readonly ports: Ports) {}

  /** Keeps a draft; what is written last stands. */
  async set({ data, meta }: SetDraft): Promise<Accepted> {
    const { operations, keys, random, clock } = this.ports;
    await this.#prepare();
    const { conversationId, draft } = data;
    const id = keyOf(meta.actor, conversationId);
    const isGone = Object.keys(draft).every((name) => name === 'text') && !draft.text;
    const known = await operations.get<KeptDraft>(DRAFTS, id);
    const key =
      (await keys.ensure(meta.actor)) ?? reject('unauthorized', 'This account was erased.');
    const nowMs = clock.now();
    const kept = {
      userId: meta.actor,
      conversationId,
      changeId: random.uuid(),
      changedAtMs: nowMs,
      ...(meta.device === undefined ? {} : { by: meta.device }),
      ...(isGone
        ? { expiresAtMs: nowMs + GONE_MS }
        : seal({ draft: canonicalize(draft) ?? '' }, bound(id), key, random)),
    };
    await operations.put(DRAFTS, id, kept);
    if (!known && !isGone) await this.#makeRoom(meta.actor);
    const answer = { conversationId, at: new Date(nowMs).toISOString() };
    return { duplicate: false, data: answer, position: '0' };
  }

  /** A person's drafts, newest first; from before a time on where one is named. */
  async of(userId: string, limit: number, beforeMs = Number.MAX_SAFE_INTEGER) {
    const { operations, keys } = this.ports;
    const found = await operations.find<KeptDraft>(DRAFTS, {
      filter: { userId, changedAtMs: { $lt: beforeMs } },
      sort: { changedAtMs: -1 },
      limit,
    });
    const key = await keys.find(userId);
    const items = found.flatMap(
      ({ _id, conversationId, changedAtMs, by, box, commit }): Draft[] => {
        if (box === undefined || commit === undefined || !key) return [];
        const { draft } = unseal({ subject: userId, box, commit }, bound(_id), key);
        // It was checked when it came.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        const parts = JSON.parse(String(draft)) as DraftParts;
        const at = new Date(changedAtMs).toISOString();
        return [{ conversationId, at, ...(by === undefined ? {} : { by }), draft: parts }];
      },
    );
    const last = found.at(-1);
    return found.length === limit && last ? { items, cursor: String(last.changedAtMs) } : { items };
  }

  /** What changed since a time, oldest first, whosesoever it is. */
  async changedSince(sinceMs: number, limit: number): Promise<readonly KeptDraft[]> {
    await this.#prepare();
    return this.ports.operations.find<KeptDraft>(DRAFTS, {
      filter: { changedAtMs: { $gte: sinceMs } },
      sort: { changedAtMs: 1 },
      limit,
    });
  }

  async #makeRoom(userId: string): Promise<void> {
    const { operations, clock } = this.ports;
    await operations.clear(DRAFTS, { userId, expiresAtMs: { $lt: clock.now() } });
    const found = await operations.find<KeptDraft>(DRAFTS, {
      filter: { userId },
      sort: { changedAtMs: -1 },
      limit: 2 * DRAFTS_MAX,
      fields: ['changedAtMs', 'expiresAtMs'],
    });
    const standing = found.filter(({ expiresAtMs }) => expiresAtMs === undefined);
    for (const { _id } of standing.slice(DRAFTS_MAX)) await operations.take(DRAFTS, _id);
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.ports.operations
      .prepare(DRAFTS, [{ key: { changedAtMs: 1 } }, { key: { userId: 1, changedAtMs: -1 } }])
      .catch((error: unknown) => {
        this.#prepared = undefined;
        throw error;
      });
    return this.#prepared;
  }
}

/** Hands a draft to who keeps it: nothing is decided and nothing enters the log. */
@CommandHandler(SetDraft)
export class SetDraftHandler {
  constructor(private readonly drafts: Drafts) {}

  execute(command: SetDraft): Promise<Accepted> {
    return this.drafts.set(command);
  }
}
