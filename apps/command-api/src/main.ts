import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { openPorts, PolicyRunner, Scheduler } from '#commands';
import { cancelSchedules, releaseClaims } from '#domain';
import {
  ConsoleCodeSender,
  HttpSmsSender,
  readConfig,
  smsSettingsOf,
  TallyKeeper,
} from '#platform';
import { offerDevelopmentKey } from './development-key.js';
import { Exports } from './exports.js';
import { Departures } from './departures.js';
import { createHttpApp } from './http.js';

/** How long requests in flight have to end once a stop is asked for (V30: 10 s in all). */
const STOP_MS_MAX = 8_000;

const config = readConfig(process.env);
const { ports, close } = await openPorts(config);
const sms = smsSettingsOf(config);
const app = await createHttpApp(
  ports,
  sms ? new HttpSmsSender(sms, ports) : new ConsoleCodeSender(),
);
const counts = new TallyKeeper(ports, 'command-api');
const policies = app.get(PolicyRunner);
const departures = app.get(Departures);
const exports = app.get(Exports);
const scheduler = app.get(Scheduler);

const logger = new Logger('command-api');

let isEnding = false;
/** Takes nothing new, ends what is in flight, brings waiting marks to the log, and goes. */
const end = async (code: number): Promise<void> => {
  if (isEnding) return;
  isEnding = true;
  ports.timer.after(STOP_MS_MAX, () => process.exit(1));
  try {
    await Promise.all([policies.stop(), departures.stop(), exports.stop(), scheduler.stop()]);
    await app.close();
    await counts.stop();
    await close();
    process.exit(code);
  } catch (error) {
    logger.error(`The end was not clean: ${String(error)}`);
    process.exit(1);
  }
};

const failed = (error: unknown): void => {
  logger.error(error instanceof Error ? error.stack : String(error));
  void end(1);
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(0));
// The last resort (finding R9): what nobody has caught may have left anything undone.
process.on('unhandledRejection', failed);
process.on('uncaughtException', failed);

await offerDevelopmentKey(ports);
await app.listen(config.COMMAND_API_PORT, '127.0.0.1');
policies.start([releaseClaims, cancelSchedules]);
scheduler.start();
departures.start();
void exports.start();
counts.start();
process.stdout.write(`ready ${new URL(await app.getUrl()).port}\n`);
