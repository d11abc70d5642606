/** Longer than anything that is not broken takes, on a machine that is busy with other tests. */
const DEADLINE_MS = 20_000;
const PAUSE_MS = 2;

/** Resolves when the condition holds; fails, naming it, when it does not within 20 s. */
export const until = async (
  condition: () => unknown,
  deadlineMs: number = DEADLINE_MS,
): Promise<void> => {
  const endsMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endsMs)
      throw new Error(`Not within ${deadlineMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
};
