import { ERRORS, type KeptTally, type Operations } from '#platform';

/** By what counts are put together. */
export const GROUPINGS = ['code', 'place', 'kind', 'process', 'minute'] as const;
/** One of them. */
export type Grouping = (typeof GROUPINGS)[number];

/** How often something went wrong, by what was asked for; `last`: the minute it did so last. */
export type Row = Readonly<{ by: Readonly<Partial<Record<Grouping, string>>>; count: number }> &
  Readonly<{ last: string }>;

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `15m`, `1h` or `7d` as milliseconds. Throws for anything else. */
export const spanMs = (written: string): number => {
  const { count = '', unit = '' } =
    /^(?<count>\d{1,6})(?<unit>[smhd])$/u.exec(written)?.groups ?? {};
  const unitMs = Object.entries(UNITS_MS).find(([name]) => name === unit)?.[1];
  if (unitMs === undefined) throw new Error('--since is a span such as 90s, 15m, 1h or 7d.');
  return Number(count) * unitMs;
};

const valueOf = (one: KeptTally, grouping: Grouping): string =>
  grouping === 'minute' ? new Date(one.at).toISOString() : one[grouping];

/** What went wrong since a time, put together, the most frequent first (minutes in their order). */
export const errorsSince = async (
  operations: Operations,
  sinceMs: number,
  groupings: readonly Grouping[],
): Promise<readonly Row[]> => {
  const found = await operations.find<KeptTally>(ERRORS, {
    filter: { at: { $gte: Math.floor(sinceMs / UNITS_MS.m) * UNITS_MS.m } },
  });
  const groups = Map.groupBy(found, (one) =>
    JSON.stringify(groupings.map((grouping) => valueOf(one, grouping))),
  );
  const rows = [...groups.values()].flatMap((ones): Row[] => {
    const [first] = ones;
    if (!first) return [];
    return [
      {
        by: Object.fromEntries(groupings.map((grouping) => [grouping, valueOf(first, grouping)])),
        count: ones.reduce((sum, { count }) => sum + count, 0),
        last: new Date(Math.max(...ones.map(({ at }) => at))).toISOString(),
      },
    ];
  });
  return rows.toSorted((one, other) =>
    groupings[0] === 'minute'
      ? String(one.by.minute).localeCompare(String(other.by.minute))
      : other.count - one.count,
  );
};
