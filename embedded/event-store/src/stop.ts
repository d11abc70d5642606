/** Ends the process at once: what it holds in memory can no longer be trusted to match the disk. */
export const stopAtOnce = (why: string): never => {
  process.stderr.write(`event-store: ${why}\n`);
  process.exit(1);
};
