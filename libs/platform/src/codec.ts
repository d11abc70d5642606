import type { Recorded, ScriptaEvent } from '#domain';
import type { LogEvent, NewEvent } from './event-store.js';

/** What an event is appended with: its id and what caused it. */
export type Envelope = Readonly<{ id: string; correlationId: string; causationId: string }>;

/** An event that cannot be read: unknown type or version, or data that breaks its schema. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';
}

/**
 * The one place where an event becomes JSON in the log and comes back: validates its schema, seals
 * personal leaves under the subject's key beside their commitment, and upcasts old versions.
 */
export abstract class Codec {
  /** Seals an event for the log. Throws when it breaks its own schema or the key was destroyed. */
  abstract encode(event: ScriptaEvent, envelope: Envelope): Promise<NewEvent>;
  /**
   * The event as folds know it. With `opened` false, personal leaves read as the empty text (states
   * need none), which is several times faster. So do, for ever, those of a destroyed key.
   */
  abstract decode(
    event: LogEvent,
    opened: boolean,
  ): Recorded<ScriptaEvent> | Promise<Recorded<ScriptaEvent>>;
}
