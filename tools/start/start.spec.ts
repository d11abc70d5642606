import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Scripta } from '#client';
import { until } from '#testing';
import { builtPath } from './programs.js';
import { startPlatform, type Platform } from './platform.js';

/** Longer than a start and a stop take on a busy machine. */
const RUN_MS_MAX = 120_000;
const TEST_CODE = '424242';

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const pidsOf = ({ parts }: Platform): number[] =>
  [...parts.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));

const enter = async (url: string, phone: string, deviceId?: string): Promise<Scripta> => {
  const client = new Scripta({ url, ...(deviceId === undefined ? {} : { deviceId }) });
  const { requestId } = await client.requestCode(phone);
  await client.login({ requestId, code: TEST_CODE, name: 'Ada', device: { name: 'test' } });
  return client;
};

/** What the port answers to an upgrade, head and body. */
const upgrade = (url: string, path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.on('data', (bytes) => {
      resolve(bytes.toString());
      socket.destroy();
    });
    socket.on('error', reject);
    const key = Buffer.alloc(16).toString('base64');
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
  });

describe('a platform', () => {
  let platform: Platform;
  const said: string[] = [];

  beforeAll(async () => {
    platform = await startPlatform({ print: (part, line) => said.push(`${part} | ${line}`) });
  }, RUN_MS_MAX);
  afterAll(() => platform.stop());

  it(
    'serves REST, documentation, health and the socket on one port',
    async () => {
      const { public: url } = platform.urls;
      const health = await fetch(`${url}/readyz`);
      expect(health.status).toBe(200);
      expect(await health.json()).toEqual({
        status: 'ready',
        'event-store': 'ready',
        'document-store': 'ready',
        projector: 'ready',
        'command-api': 'ready',
        realtime: 'ready',
      });
      expect((await fetch(`${url}/docs`)).headers.get('content-type')).toContain('text/html');
      expect(await (await fetch(`${url}/docs-json`)).json()).toHaveProperty('openapi');
      const nowhere = await fetch(`${url}/nowhere`);
      expect(nowhere.status).toBe(404);
      expect(nowhere.headers.get('content-type')).toBe('application/problem+json');
      expect(await nowhere.json()).toMatchObject({ status: 404, code: 'not_found' });
      const ada = await enter(url, '+15550100001');
      await ada.connect();
      expect(ada.state).toBe('live');
      await ada.close();
    },
    RUN_MS_MAX,
  );

  it(
    'answers 503 while a door is down, starts it again where it was, and loses nobody',
    async () => {
      const { public: url, socket } = platform.urls;
      const ada = await enter(url, '+15550100002');
      await ada.connect();
      const { conversationId } = await ada.startGroup({ name: 'Engine', members: [] });
      platform.kill('realtime', 'SIGKILL');
      const asked = '/socket.io/?EIO=4&transport=websocket';
      let answer = '';
      await until(async () => {
        answer = await upgrade(url, asked);
        return !answer.startsWith('HTTP/1.1 101');
      });
      expect(answer).toMatch(/^HTTP\/1\.1 503 [\s\S]*retry-after: 1[\s\S]*"code":"unavailable"/u);
      const { seq } = await ada.send(conversationId, 'after the kill');
      expect(seq).toBe(1);
      expect(platform.urls.socket).toBe(socket);
      expect(platform.parts.get('realtime')?.restarts).toBe(1);
      expect(said.join('\n')).toMatch(/realtime \| ended \(SIGKILL\); starting again in \d+ ms/u);
      platform.kill('command-api', 'SIGKILL');
      await until(async () => (await fetch(`${url}/v1/me`)).status === 503);
      expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ 'command-api': 'down' });
      await until(async () => (await fetch(`${url}/readyz`)).ok);
      expect((await ada.history(conversationId)).items).toHaveLength(2);
      await ada.close();
    },
    RUN_MS_MAX,
  );

  it(
    'keeps everything over a kill of both stores at once',
    async () => {
      const { public: url } = platform.urls;
      const ada = await enter(url, '+15550100003');
      await ada.connect();
      const { conversationId } = await ada.startGroup({ name: 'Engine', members: [] });
      await ada.send(conversationId, 'before');
      platform.kill('event-store', 'SIGKILL');
      platform.kill('document-store', 'SIGKILL');
      const sent = await ada.send(conversationId, 'during');
      const { items } = await ada.history(conversationId, { minPosition: sent.position });
      expect(items.map(({ seq }) => seq)).toEqual([0, 1, 2]);
      await ada.close();
    },
    RUN_MS_MAX,
  );

  it(
    'leaves no process and no temporary folder when it is stopped',
    async () => {
      const pids = pidsOf(platform);
      expect(pids).toHaveLength(6);
      await platform.stop();
      expect(pids.filter(isAlive)).toEqual([]);
      expect(existsSync(platform.dataDir)).toBe(false);
      await expect(fetch(platform.urls.public)).rejects.toThrow('fetch failed');
    },
    RUN_MS_MAX,
  );
});

describe('npm start', () => {
  let folder: string;
  const started: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'scripta-start-'));
  });
  afterEach(async () => {
    for (const child of started) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  const start = (...args: string[]) => {
    const child = spawn(process.execPath, [builtPath('tools/start/main.js'), ...args]);
    started.push(child);
    const said = { text: '' };
    const hear = (bytes: Buffer) => (said.text += bytes.toString());
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, said, ended };
  };

  it(
    'prints where it is and how to log in, and ends in order when asked to',
    async () => {
      const { child, said, ended } = start('--data-dir', folder, '--port', '0');
      await until(() => said.text.includes('Ctrl-C ends it.'), RUN_MS_MAX);
      const url = /Scripta is up at (\S+),/u.exec(said.text)?.[1] ?? '';
      expect((await fetch(`${url}/readyz`)).ok).toBe(true);
      expect(said.text).toContain(folder);
      expect(said.text).toContain(
        `numbers that begin with +1555 always have the code ${TEST_CODE}`,
      );
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      expect(said.text).toContain('Ending: doors first');
      expect(said.text).not.toMatch(/ended \(/u);
    },
    RUN_MS_MAX,
  );

  it(
    'leaves no part behind when it is killed itself',
    async () => {
      const { child, said, ended } = start('--data-dir', folder, '--port', '0');
      await until(() => said.text.includes('Ctrl-C ends it.'), RUN_MS_MAX);
      child.kill('SIGKILL');
      await ended;
      // The folder is free again: a second start in it works.
      const again = start('--data-dir', folder, '--port', '0');
      await until(() => again.said.text.includes('Ctrl-C ends it.'), RUN_MS_MAX);
      again.child.kill('SIGINT');
      expect(await again.ended).toBe(0);
    },
    RUN_MS_MAX,
  );

  it('says what is wrong with a flag, a setting or a port', async () => {
    const flag = start('--prot', '1');
    expect(await flag.ended).toBe(1);
    expect(flag.said.text).toMatch(/--prot[\s\S]*npm start -- \[--data-dir DIR\]/u);
    const setting = start('--port', 'seventy');
    expect(await setting.ended).toBe(1);
    expect(setting.said.text).toMatch(/Bad configuration:[\s\S]*PORT/u);
    const both = start('--ephemeral', '--data-dir', folder);
    expect(await both.ended).toBe(1);
    expect(both.said.text).toContain('goes without --data-dir');
    const help = start('--help');
    expect(await help.ended).toBe(0);
    expect(help.said.text).toContain('--ephemeral');
  });

  it(
    'says that its port is taken, and leaves nothing running',
    async () => {
      const platform = await startPlatform();
      const port = new URL(platform.urls.public).port;
      const { said, ended } = start('--data-dir', folder, '--port', port);
      expect(await ended).toBe(1);
      expect(said.text).toContain(`Port ${port} is taken`);
      await platform.stop();
    },
    RUN_MS_MAX,
  );
});
