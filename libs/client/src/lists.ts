import type { NewMessage } from './messages.js';
import type { Fact, PageOf, Positioned } from './protocol.js';
import type { Query, Rest } from './rest.js';

/** How a person has a conversation in their list. */
export type Arrangement = Readonly<{
  /** Silent until then, where that is to come. */
  mutedUntil?: string;
  archived: boolean;
  pinned: boolean;
  markedUnread: boolean;
  folders: readonly string[];
  settings: Readonly<Record<string, string | number | boolean>>;
}>;

/** What is to be otherwise; `mutedUntil: null` unmutes, a setting of null is taken away. */
export type ArrangementChange = Readonly<{
  mutedUntil?: string | null;
  archived?: boolean;
  pinned?: boolean;
  markedUnread?: boolean;
  folders?: readonly string[];
  settings?: Readonly<Record<string, string | number | boolean | null>>;
}>;

/** A message one saved; without `message` where one may not read it any more. */
export type SavedMessage = Readonly<{
  conversationId: string;
  messageId: string;
  savedAt: string;
  note?: string;
  message?: Fact;
}>;

/** What one has not said yet in a conversation. */
export type Draft = Readonly<{
  conversationId: string;
  at: string;
  /** The device that wrote it. */
  by?: string;
  draft: NewMessage;
}>;

/** A message that waits for its time, or could not be said (`code` tells why). */
export type ScheduledMessage = Readonly<{
  scheduleId: string;
  conversationId: string;
  sendAt: string;
  status: 'waiting' | 'released' | 'left' | 'refused';
  code?: string;
  message?: NewMessage;
}>;

/** What one keeps for oneself: how one's list is, what is saved, drafted and scheduled. */
export class Lists {
  constructor(private readonly rest: Rest) {}

  /** Mutes, archives, pins, marks as unread, puts in folders: on all of one's devices. */
  arrange(conversationId: string, change: ArrangementChange): Promise<Positioned> {
    return this.rest.send('PATCH', `/v1/conversations/${conversationId}/arrangement`, change);
  }

  /** What was arranged after a place in the log: the cursor. */
  arranged(
    query: Query = {},
  ): Promise<PageOf<Arrangement & Readonly<{ conversationId: string; position: string }>>> {
    return this.rest.get('/v1/me/arrangements', query);
  }

  /** Keeps a message for oneself. */
  save(conversationId: string, messageId: string, note?: string): Promise<Positioned> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/saved`;
    return this.rest.send('PUT', path, note === undefined ? {} : { note });
  }

  unsave(conversationId: string, messageId: string): Promise<Positioned> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/saved`;
    return this.rest.send('DELETE', path);
  }

  /** Keeps what one has not said yet, for all of one's devices; the last one written stands. */
  setDraft(conversationId: string, draft: NewMessage): Promise<Positioned> {
    return this.rest.send('PUT', `/v1/conversations/${conversationId}/draft`, draft);
  }

  /** It was said, or is not to be said. */
  clearDraft(conversationId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/conversations/${conversationId}/draft`);
  }

  /** Drafts, the last changed first. */
  drafts(query: Query = {}): Promise<PageOf<Draft>> {
    return this.rest.get('/v1/me/drafts', query);
  }

  /** Has a message said at a time to come, whether this device is there or not. */
  schedule(
    conversationId: string,
    sendAt: string,
    message: NewMessage,
  ): Promise<Positioned & Readonly<{ scheduleId: string }>> {
    const path = `/v1/conversations/${conversationId}/scheduled`;
    return this.rest.send('POST', path, { sendAt, message });
  }

  /** Has it said at another time, or otherwise. Throws `too_late` once it is on its way. */
  reschedule(
    scheduleId: string,
    change: Readonly<{ sendAt?: string; message?: NewMessage }>,
  ): Promise<Positioned> {
    return this.rest.send('PATCH', `/v1/me/scheduled/${scheduleId}`, change);
  }

  /** Has it not said. Throws `too_late` once it is on its way. */
  unschedule(scheduleId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `/v1/me/scheduled/${scheduleId}`);
  }

  /** What waits for its time or was refused, the last changed first. */
  scheduled(query: Query = {}): Promise<PageOf<ScheduledMessage>> {
    return this.rest.get('/v1/me/scheduled', query);
  }

  /** Deletes a message for oneself alone, on all of one's devices. */
  hide(conversationId: string, messageId: string): Promise<Positioned> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/hidden`;
    return this.rest.send('PUT', path);
  }

  /** Has it back. */
  unhide(conversationId: string, messageId: string): Promise<Positioned> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/hidden`;
    return this.rest.send('DELETE', path);
  }

  /** Saved messages, newest first. */
  saved(query: Query = {}): Promise<PageOf<SavedMessage>> {
    return this.rest.get('/v1/me/saved', query);
  }
}
