import type { OwnEvent } from './events.js';

/** Messages and threads of which a person's state remembers how they read them. */
const READING_MAX = 1_000;

/** Remembers the latest word on a message; of the oldest nothing. */
export const rememberReading = (reading: Map<string, string>, { type, data }: OwnEvent): void => {
  if (!('messageId' in data)) return;
  const key = type === 'ThreadRead' ? 'read' : type.startsWith('Thread') ? 'thread' : 'message';
  const about = `${key}:${data.messageId}`;
  reading.delete(about);
  reading.set(about, type === 'ThreadRead' ? String(data.seq) : type);
  if (reading.size <= READING_MAX) return;
  const [oldest] = reading.keys();
  if (oldest !== undefined) reading.delete(oldest);
};
