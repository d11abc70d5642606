import 'reflect-metadata';
import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { Claims, CommandsModule, openPorts, People } from '#commands';
import { GrantRole, STAFF_ROLES, WithdrawRole, type CommandMeta, type StaffRole } from '#domain';
import { eventIdOf, readConfig, uuidOf } from '#platform';

const USAGE = `npm run roles -- COMMAND [--json]
Roles of people who look after the platform: ${STAFF_ROLES.join(', ')}. Each grant is a fact in the log.
  grant PERSON ROLE      PERSON is a person's id or phone number (E.164)
  withdraw PERSON ROLE
  show PERSON`;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu;

const roleOf = (written: string): StaffRole => {
  const role = STAFF_ROLES.find((known) => known === written);
  if (role) return role;
  throw new Error(`There is no role “${written}”; there are ${STAFF_ROLES.join(', ')}.`);
};

const personOf = async (claims: Claims, written: string): Promise<string> => {
  if (UUID.test(written)) return written.toLowerCase();
  const holder = await claims.holderOf('phone', written);
  if (holder !== undefined) return holder;
  throw new Error(`Nobody goes by “${written}”; give a person's id or phone number.`);
};

/** Who grants is the operator at this machine: their name there stands for them in the log. */
const metaOf = (userId: string, at: string): CommandMeta => {
  const commandId = crypto.randomUUID();
  return {
    commandId,
    eventId: eventIdOf(`user-${userId}`, '', commandId),
    actor: uuidOf(`operator:${userInfo().username}`),
    at,
    correlationId: commandId,
  };
};

const change = async (
  people: People,
  command: string,
  userId: string,
  role: StaffRole,
): Promise<void> => {
  const Changing = command === 'grant' ? GrantRole : WithdrawRole;
  await people.run(new Changing({ userId, role }, metaOf(userId, new Date().toISOString())));
};

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [command = '', person = '', role = ''] = positionals;
  if (values.help || !['grant', 'withdraw', 'show'].includes(command)) {
    console.log(USAGE);
    if (!values.help) process.exitCode = 2;
    return;
  }
  const { ports, close } = await openPorts(readConfig(process.env));
  const app = await NestFactory.createApplicationContext(CommandsModule.on(ports), {
    logger: ['error', 'warn'],
  });
  try {
    const userId = await personOf(app.get(Claims), person);
    if (command !== 'show') await change(app.get(People), command, userId, roleOf(role));
    const { state } = await app.get(People).latest(userId);
    const roles = [...state.roles];
    if (values.json) console.log(JSON.stringify({ userId, roles }));
    else console.log(`${userId}: ${roles.join(', ') || 'no roles'}`);
  } finally {
    await app.close();
    await close();
  }
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
