import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configSchema } from '#platform';
import { PROGRAMS } from '../../tools/start/programs.js';

const environment = z.record(z.string(), z.string());
const dependsOn = z.record(
  z.string(),
  z.strictObject({ condition: z.enum(['service_started', 'service_healthy']) }),
);

/** The part of the Compose specification that the file uses; anything else in it is a mistake. */
const service = z.strictObject({
  image: z.string(),
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']),
  network_mode: z.string().optional(),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/u)).optional(),
  environment: environment.optional(),
  volumes: z.array(z.string().regex(/^[^:]+:\/[^:]+(:ro)?$/u)).optional(),
  command: z.array(z.string()).optional(),
  depends_on: dependsOn.optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()).min(2),
      interval: z.string(),
      timeout: z.string(),
      retries: z.int().positive(),
    })
    .optional(),
});

const compose = z
  .object({
    name: z.string(),
    services: z.record(z.string(), service),
    volumes: z.record(z.string(), z.null()),
  })
  .parse(parse(readFileSync('docker/compose.yaml', 'utf8'), { merge: true }));

const services = Object.entries(compose.services);

it('starts every app from an entry that is built', () => {
  const entries = services.flatMap(([, { command }]) => command?.at(-1) ?? []);
  expect(entries).toHaveLength(4);
  const sources = entries.map((entry) => entry.replace('dist/', '').replace(/\.js$/u, '.ts'));
  expect(sources.filter((source) => !existsSync(source))).toEqual([]);
});

it('gives the apps only settings that there are', () => {
  const known = new Set([
    ...Object.keys(configSchema.shape),
    ...Object.values(PROGRAMS).flatMap(({ env }) => Object.keys(env)),
  ]);
  const given = services.flatMap(([, { command, environment: settings }]) =>
    command ? Object.keys(settings ?? {}) : [],
  );
  expect(given.filter((name) => !known.has(name))).toEqual([]);
});

it('names only services and volumes that it declares', () => {
  const named = services.flatMap(([, { depends_on: needs, network_mode: network, volumes }]) => [
    ...Object.keys(needs ?? {}),
    ...(network?.startsWith('service:') ? [network.slice('service:'.length)] : []),
    ...(volumes ?? []).flatMap((volume) => volume.split(':')[0] ?? []),
  ]);
  const declared = new Set([...Object.keys(compose.services), ...Object.keys(compose.volumes)]);
  expect(named.filter((name) => !declared.has(name) && !existsSync(`docker/${name}`))).toEqual([]);
});

it('waits for servers that can say whether they are well', () => {
  const waited = services.flatMap(([, { depends_on: needs }]) => Object.keys(needs ?? {}));
  expect(waited.length).toBeGreaterThan(0);
  expect(waited.filter((name) => !compose.services[name]?.healthcheck)).toEqual([]);
});

it('builds from files that are there', () => {
  const dockerfile = readFileSync('docker/Dockerfile', 'utf8');
  expect(dockerfile).toContain('npm ci');
  expect(dockerfile).toContain('USER node');
  expect(existsSync('.dockerignore')).toBe(true);
});
