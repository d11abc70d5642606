/** Turns the data of one version of an event into that of the next. */
export type Upcaster = (
  data: Readonly<Record<string, unknown>>,
) => Readonly<Record<string, unknown>>;

/**
 * By event type and version: how an event written by an older version is read today. An event that
 * was released is never changed; its schema gets the next version and a line here.
 */
export const UPCASTERS: Readonly<Record<string, Readonly<Record<number, Upcaster>>>> = {};
