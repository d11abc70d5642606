import 'reflect-metadata';
import { openPorts, PolicyRunner } from '#commands';
import { releaseFormerUsername } from '#domain';
import { ConsoleCodeSender, readConfig } from '#platform';
import { createHttpApp } from './http.js';

/** Requests in flight have this long to end after a stop is asked for (invariant V30: 10 s in all). */
const STOP_MS_MAX = 8_000;

const config = readConfig(process.env);
const { ports, close } = await openPorts(config);
const app = await createHttpApp(ports, new ConsoleCodeSender());
const policies = app.get(PolicyRunner);

const stop = async (): Promise<void> => {
  ports.timer.after(STOP_MS_MAX, () => process.exit(1));
  await policies.stop();
  await app.close();
  await close();
  process.exit(0);
};
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

await app.listen(config.COMMAND_API_PORT, '127.0.0.1');
policies.start([releaseFormerUsername]);
process.stdout.write(`ready ${new URL(await app.getUrl()).port}\n`);
