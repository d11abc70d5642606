import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { openPorts } from '#commands';
import { readConfig, TallyKeeper } from '#platform';
import { Auditor } from './auditor.js';
import { AuditorModule } from './auditor.module.js';
import { SealKeeper } from './seal-keeper.js';
import { signingKeyIn } from './signing-key.js';

/** What is under way has this long to end after a stop is asked for. */
const STOP_MS_MAX = 8_000;

const config = readConfig(process.env);
const logger = new Logger('auditor');
const { ports, close } = await openPorts(config);
const counts = new TallyKeeper(ports, 'auditor');
const auditor = new Auditor(ports);
const keeper = new SealKeeper(ports, signingKeyIn(config.DATA_DIR));
const module = AuditorModule.on(auditor, keeper);
const app = await NestFactory.create(module, { logger: ['error', 'warn'] });

let isEnding = false;
const end = async (code: number): Promise<void> => {
  if (isEnding) return;
  isEnding = true;
  ports.timer.after(STOP_MS_MAX, () => process.exit(1));
  await auditor.stop();
  await keeper.stop();
  await app.close();
  await counts.stop();
  await close();
  process.exit(code);
};

const failed = (error: unknown): void => {
  logger.error(error instanceof Error ? error.stack : String(error));
  // It keeps nothing: a fresh start begins at the log's end.
  process.exit(1);
};
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => void end(0).catch(failed));
process.on('unhandledRejection', failed);
process.on('uncaughtException', failed);

counts.start();
await auditor.start();
keeper.start();
await app.listen(config.AUDITOR_PORT, '127.0.0.1');
process.stdout.write(`ready ${new URL(await app.getUrl()).port}\n`);
