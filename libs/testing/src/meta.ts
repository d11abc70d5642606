import type { CommandMeta } from '#domain';

/** The time at which everything in a decider's test happens. */
export const AT = '2026-01-01T00:00:00.000Z';

/** What a command of `actor` carries, and whatever else a test says. */
export const metaOf = (
  actor: string,
  more: Partial<Omit<CommandMeta, 'actor'>> = {},
): CommandMeta => ({
  commandId: 'command-1',
  eventId: 'event-1',
  at: AT,
  correlationId: 'command-1',
  ...more,
  actor,
});

/** The stamp that an event of `by` bears when its command carried `metaOf(by)`. */
export const stampedBy = (by: string) => ({ by, at: AT, origin: { command: 'command-1' } });
