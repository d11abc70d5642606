import { Injectable } from '@nestjs/common';
import {
  factFrom,
  mayRead,
  memberKey,
  type ArrangementView,
  shownFact,
  type MemberView,
  type MessageView,
  type SavedView,
  type ScheduledView,
  type ShownFact,
  type StoredEntry,
} from '#domain';
import { QUERIES, Views, type Stored } from '#platform';
import type { Page } from './inbox.js';

/** A message that a person saved; without `message` where they may not read it any more. */
export type SavedItem = Readonly<
  Omit<SavedView, 'userId' | 'at'> & { savedAt: string; message?: ShownFact }
>;

/** A message that is to be said later, or could not be said. */
export type ScheduledItem = Readonly<
  Pick<ScheduledView, 'conversationId' | 'sendAt' | 'status' | 'code'> & {
    scheduleId: string;
    message?: object;
  }
>;

/** How a person has a conversation in their list, and the place in the log of their last change. */
export type ArrangementItem = Readonly<Omit<ArrangementView, 'userId'> & { position: string }>;

/** What a person keeps for themselves. */
@Injectable()
export class Keeping {
  constructor(private readonly views: Views) {}

  /** What was arranged after a place in the log, for a device that was away. */
  async arranged(userId: string, limit: number, after = -1): Promise<Page<ArrangementItem>> {
    const asked = QUERIES.arrangedSince(userId, after, limit);
    const found = await this.views.find<Stored<ArrangementView>>('arrangements', asked);
    const items = found.map(({ _id, userId: _userId, position, ...item }) => ({
      ...item,
      position: String(position),
    }));
    const last = items.at(-1);
    return found.length === limit && last ? { items, cursor: last.position } : { items };
  }

  /** Saved messages, newest first. */
  async saved(
    userId: string,
    limit: number,
    before = Number.MAX_SAFE_INTEGER,
  ): Promise<Page<SavedItem>> {
    const asked = QUERIES.savedBefore(userId, before, limit);
    const found = await this.views.find<Stored<SavedView>>('saved', asked);
    const messages = await this.#readable(userId, found);
    const changed = await this.views.get<MessageView>('messages', [...messages.keys()]);
    const views = new Map(changed.map((view) => [view._id, view]));
    const items = found.map(({ _id, position: _position, userId: _userId, at, ...kept }) => {
      const entry = messages.get(kept.messageId);
      if (!entry) return { ...kept, savedAt: at };
      // As it was when it was saved; but of a deleted one nothing.
      const message = shownFact(factFrom(entry), views.get(kept.messageId), () => false);
      return { ...kept, savedAt: at, message };
    });
    const last = found.at(-1);
    return found.length === limit && last ? { items, cursor: String(last.position) } : { items };
  }

  /** Scheduled messages, the last changed first. */
  async scheduled(
    userId: string,
    limit: number,
    before = Number.MAX_SAFE_INTEGER,
  ): Promise<Page<ScheduledItem>> {
    const { view, ...asked } = QUERIES.scheduledBefore(userId, before, limit);
    const found = await this.views.find<ScheduledView>(view, asked);
    const items = found.map(({ _id, conversationId, sendAt, status, code, message }) => ({
      scheduleId: _id,
      conversationId,
      sendAt,
      status,
      ...(code === undefined ? {} : { code }),
      // It was checked when it came; nothing is left of an erased person's.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      ...(message === '' ? {} : { message: JSON.parse(message) as object }),
    }));
    const last = found.at(-1);
    return found.length === limit && last ? { items, cursor: String(last.position) } : { items };
  }

  async #readable(
    userId: string,
    found: readonly SavedView[],
  ): Promise<ReadonlyMap<string, StoredEntry>> {
    const checkpoint = await this.views.checkpoint('members');
    const keys = found.map(({ conversationId }) => memberKey(conversationId, userId));
    const places = await this.views.get<MemberView>('members', [...new Set(keys)]);
    const stays = new Map(places.map((place) => [place.conversationId, place.intervals]));
    const ids = found.map(({ messageId }) => messageId);
    const messages = await this.views.get<StoredEntry>('history', ids);
    const readable = messages.filter(
      ({ conversationId, place }) =>
        place <= checkpoint && mayRead(stays.get(conversationId) ?? [], place),
    );
    return new Map(readable.map((message) => [message._id, message]));
  }
}
