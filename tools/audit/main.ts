import 'reflect-metadata';
import { openPorts, type Ports } from '#commands';
import { readConfig } from '#platform';
import { compareCommand } from './compare.js';
import { badges, deliveries, trace } from './delivered.js';
import { openLog, type OpenLog } from './log.js';
import { readOptions, USAGE, type Asked } from './options.js';
import {
  exportCommand,
  proveCommand,
  resealCommand,
  verifyCommand,
  verifyExportCommand,
  verifyProofCommand,
} from './proofs.js';
import { replayCommand, showCommand, streamsCommand, tailCommand } from './replaying.js';
import { diffCommand, stateCommand } from './time-travel.js';

/** Commands on a running platform. */
const ON_PLATFORM: Readonly<Record<string, (ports: Ports, asked: Asked) => Promise<void>>> = {
  deliveries: (ports, { rest, options }) => deliveries(ports, rest[0] ?? '', options),
  trace: (ports, { rest, options }) => trace(ports, rest[0] ?? '', options),
  badges: (ports, { options }) => badges(ports, options),
  compare: compareCommand,
  reseal: resealCommand,
};

/** Commands on any log. */
const ON_LOG: Readonly<Record<string, (log: OpenLog, asked: Asked) => Promise<void>>> = {
  verify: verifyCommand,
  export: exportCommand,
  prove: proveCommand,
  streams: streamsCommand,
  replay: replayCommand,
  tail: tailCommand,
  show: showCommand,
  state: stateCommand,
  diff: diffCommand,
};

const withPlatform = async (name: string, asked: Asked): Promise<void> => {
  const { ports, close } = await openPorts(asked.config);
  try {
    await ON_PLATFORM[name]?.(ports, asked);
  } finally {
    await close();
  }
};

const withLog = async (name: string, asked: Asked): Promise<void> => {
  const log = await openLog(asked.config, asked.options.open);
  try {
    await ON_LOG[name]?.(log, asked);
  } finally {
    await log.close();
  }
};

const run = async (): Promise<void> => {
  const { command, rest, options } = readOptions();
  if (options.help) return console.log(USAGE);
  const asked: Asked = { rest, options, config: readConfig(process.env) };
  if (command === 'verify-export') return verifyExportCommand(asked);
  if (command === 'verify-proof') return verifyProofCommand(asked);
  if (command in ON_LOG) return withLog(command, asked);
  if (command in ON_PLATFORM) return withPlatform(command, asked);
  console.log(USAGE);
  process.exitCode = 2;
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
