/** Measured values by name; the unit is the last part of the name. */
export type Figures = Readonly<Record<string, number>>;

/** One run of a scenario: what was measured, and why it does not count, if it does not. */
export type Measured = Readonly<{ figures: Figures; faults: readonly string[] }>;

/** How large a run is: whole, or just enough to see that it works. */
export type Scale = Readonly<{ isQuick: boolean }>;

/** Something to measure. */
export type Scenario = Readonly<{
  /** What it measures, for the help. */
  what: string;
  /** Runs of it, where the usual number would take too long. */
  repeats?: number;
  run: (scale: Scale) => Promise<Measured>;
}>;

/** Digits that mean something in a measurement on a shared machine. */
const DIGITS = 4;

/** A value with the digits that mean something. */
export const rounded = (value: number): number => Number(value.toPrecision(DIGITS));

/** The value that a share of the others is not above; 0 of none. */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
};

/** The middle one, or the mean of the two in the middle. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low = 0, high = 0] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
};

/** p50, p95 and p99 of times in ms, under names that begin alike. */
export const percentilesMs = (name: string, values: readonly number[]): Figures => ({
  [`${name}P50Ms`]: rounded(percentile(values, 0.5)),
  [`${name}P95Ms`]: rounded(percentile(values, 0.95)),
  [`${name}P99Ms`]: rounded(percentile(values, 0.99)),
});

/** Medians of the runs that count, beside what all runs gave. */
export type Summary = Readonly<{
  medians: Figures;
  counted: number;
  runs: readonly Measured[];
}>;

/** Sums up the runs of one scenario. A run with a fault is shown, and does not count. */
export const summaryOf = (runs: readonly Measured[]): Summary => {
  const counted = runs.filter(({ faults }) => faults.length === 0);
  const names = new Set(counted.flatMap(({ figures }) => Object.keys(figures)));
  const medians = Object.fromEntries(
    [...names].map((name) => [
      name,
      rounded(median(counted.flatMap(({ figures }) => figures[name] ?? []))),
    ]),
  );
  return { medians, counted: counted.length, runs };
};
