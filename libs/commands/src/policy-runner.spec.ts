import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { RegisterUser, releaseClaims, type Command } from '#domain';
import { CommandBus } from '@nestjs/cqrs';
import { eventIdOf } from '#platform';
import { memoryPorts, until } from '#testing';
import { Claims } from './claims.js';
import { CommandDoor } from './command-door.js';
import { CommandsModule } from './commands.module.js';
import { PolicyRunner } from './policy-runner.js';
import type { Ports } from './ports.js';

const opened = async (ports: Ports = memoryPorts({ RATE_LIMIT_COMMANDS: 'false' })) => {
  const module = await Test.createTestingModule({ imports: [CommandsModule.on(ports)] }).compile();
  await module.init();
  const bus = module.get(CommandBus);
  const door = module.get(CommandDoor);
  const person = async () => {
    const who = { userId: randomUUID(), deviceId: randomUUID() };
    const commandId = randomUUID();
    const eventId = eventIdOf(`user-${who.userId}`, '', commandId);
    const at = ports.clock.iso();
    const meta = { commandId, eventId, actor: who.userId, at, correlationId: commandId };
    const data = { userId: who.userId, phone: '+4930901820', name: 'Ada' };
    await bus.execute<Command>(new RegisterUser(data, meta));
    return who;
  };
  const choose = (who: Awaited<ReturnType<typeof person>>, username: string) =>
    door.execute('username.choose', { v: 1, id: randomUUID(), data: { username } }, who);
  const holderOf = (username: string) => module.get(Claims).holderOf('username', username);
  return { ports, policies: module.get(PolicyRunner), person, choose, holderOf };
};

describe('a username that was changed', () => {
  it('is free for others', async () => {
    const { policies, person, choose, holderOf } = await opened();
    const [ada, ben] = [await person(), await person()];
    policies.start([releaseClaims]);
    await choose(ada, 'ada');
    await choose(ada, 'countess');
    await until(async () => (await holderOf('ada')) === undefined);
    expect(await choose(ben, 'ada')).toMatchObject({ duplicate: false });
    expect(await holderOf('ada')).toBe(ben.userId);
    await policies.stop();
  });

  it('is released once, however often the fact is seen: also from a lost checkpoint', async () => {
    const first = await opened();
    const ada = await first.person();
    first.policies.start([releaseClaims]);
    await first.choose(ada, 'ada');
    await first.choose(ada, 'countess');
    await until(async () => (await first.holderOf('ada')) === undefined);
    await first.choose(ada, 'ada');
    await until(async () => (await first.holderOf('countess')) === undefined);
    await first.policies.stop();
    await first.ports.operations.take('policies', releaseClaims.name);
    const again = await opened(first.ports);
    again.policies.start([releaseClaims]);
    const done = async () =>
      (await again.ports.operations.get('policies', releaseClaims.name)) !== undefined;
    await until(done);
    expect(await again.holderOf('ada')).toBe(ada.userId);
    await again.policies.stop();
  });
});
