import { audienceEvents } from './audience/events.js';
import { auditEvents } from './audit/events.js';
import { claimEvents } from './claim/events.js';
import { conversationEvents } from './conversation/events.js';
import { erasureEvents } from './erasure/events.js';
import { ownEvents } from './own/events.js';
import { receiptEvents } from './receipts/events.js';
import type { EventOf } from './schema.js';
import { userEvents } from './user/events.js';

/** Every type of event the log may hold, with its schema. */
export const EVENT_SCHEMAS = {
  ...conversationEvents,
  ...audienceEvents,
  ...receiptEvents,
  ...userEvents,
  ...ownEvents,
  ...claimEvents,
  ...auditEvents,
  ...erasureEvents,
} as const;

/** Any fact in the log. */
export type ScriptaEvent = EventOf<typeof EVENT_SCHEMAS>;
/** The PascalCase name of a fact in the log. */
export type EventType = ScriptaEvent['type'];
