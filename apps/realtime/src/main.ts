import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { openPorts } from '#commands';
import { readConfig, TallyKeeper } from '#platform';
import { createRealtimeApp } from './app.js';

/** Ending in order may take this long; then the process ends all the same (invariant V30). */
const DRAIN_MS_MAX = 10_000;

const config = readConfig(process.env);
const { ports, close } = await openPorts(config);
const app = await createRealtimeApp(ports);
const logger = new Logger('realtime');
const counts = new TallyKeeper(ports, 'realtime');

let isEnding = false;
/** Takes nothing new, brings to the log what waits, and ends. */
const end = (code: number): void => {
  if (isEnding) return;
  isEnding = true;
  ports.timer.after(DRAIN_MS_MAX, () => process.exit(code === 0 ? 1 : code));
  app
    .close()
    .then(() => counts.stop())
    .then(close)
    .then(
      () => process.exit(code),
      (error: unknown) => {
        logger.error(String(error));
        process.exit(1);
      },
    );
};

process.on('SIGTERM', () => end(0));
process.on('SIGINT', () => end(0));
// The last resort (finding R9): what nobody has caught may have left anything undone.
for (const event of ['unhandledRejection', 'uncaughtException'] as const)
  process.on(event, (error: unknown) => {
    logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    end(1);
  });

await app.listen(config.REALTIME_PORT, '127.0.0.1');
counts.start();
const address = app.getHttpServer().address();
process.stdout.write(`ready ${typeof address === 'object' ? address?.port : address}\n`);
