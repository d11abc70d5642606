import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Express, Request, Response } from 'express';
import { z } from 'zod';
import { COMMANDS } from '#commands';
import {
  DRAFT_CHANGED,
  EVENT_SCHEMAS,
  FACT_TYPES,
  NOTICE_TYPES,
  OWN_TYPES,
  type Leaf,
} from '#domain';

type Schema = Readonly<Record<string, unknown>>;
type Message = Readonly<{ name: string; summary: string; payload: Schema }>;

const text: Schema = { type: 'string' };
const uuid: Schema = { type: 'string', format: 'uuid' };
const time: Schema = { type: 'string', format: 'date-time' };
const integer: Schema = { type: 'integer' };
const position: Schema = { type: 'string', pattern: '^[0-9]+$' };

/** An object that may grow: a client skips what it does not know. */
const object = (properties: Schema, required = Object.keys(properties)): Schema => ({
  type: 'object',
  properties,
  required,
});

const KINDS: Readonly<Record<string, Schema>> = {
  uuid,
  text,
  integer,
  time,
  uuids: { type: 'array', items: uuid },
  rows: { type: 'array', items: { type: 'array' } },
};

const schemaOf = ({ kind, among, fields }: Leaf): Schema => {
  if (kind === 'choice') return { type: 'string', enum: among ?? [] };
  if (kind === 'record') return fieldsOf(fields ?? {});
  return KINDS[kind] ?? {};
};

const fieldsOf = (fields: Readonly<Record<string, Leaf>>): Schema => {
  const entries = Object.entries(fields);
  const required = entries.filter(([, leaf]) => !leaf.optional).map(([name]) => name);
  return object(
    Object.fromEntries(entries.map(([name, leaf]) => [name, schemaOf(leaf)])),
    required,
  );
};

const commandMessage = (name: string, input: z.ZodType): Message => ({
  name,
  summary: 'A command; it is acknowledged once it is in the log, or refused with a code.',
  payload: object(
    {
      v: { const: 1 },
      id: uuid,
      n: integer,
      expect: integer,
      data: z.toJSONSchema(input, { target: 'draft-7', io: 'input', unrepresentable: 'any' }),
    },
    ['v', 'id', 'data'],
  ),
});

const factMessage = (event: keyof typeof FACT_TYPES): Message => {
  const fields: Readonly<Record<string, Leaf>> = EVENT_SCHEMAS[event].fields;
  const { by: _by, at: _at, origin: _origin, conversationId: _conversationId, ...own } = fields;
  const properties = {
    v: { const: 1 },
    id: uuid,
    type: { const: FACT_TYPES[event] },
    conversationId: uuid,
    seq: integer,
    position,
    at: time,
    actor: uuid,
    data: fieldsOf(own),
    correlationId: text,
    causationId: text,
    clientId: uuid,
    proof: { type: 'object' },
  };
  const required = Object.keys(properties).filter((name) => name !== 'proof');
  return {
    name: FACT_TYPES[event],
    summary: 'A fact of a conversation, live.',
    payload: object(properties, required),
  };
};

const noticeMessage = (name: string, summary: string, types: readonly string[]): Message => ({
  name,
  summary,
  payload: object({ v: { const: 1 }, id: uuid, type: { enum: types }, position, at: time }),
});

const told = (): readonly Message[] => [
  // The names are the table's own.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  ...(Object.keys(FACT_TYPES) as (keyof typeof FACT_TYPES)[]).map(factMessage),
  noticeMessage('account', 'What happened to one’s account.', Object.values(NOTICE_TYPES)),
  noticeMessage('own', 'What one of one’s devices did for oneself.', [
    ...Object.values(OWN_TYPES),
    DRAFT_CHANGED,
  ]),
];

const asked = (): readonly Message[] =>
  Object.entries(COMMANDS).map(([name, { input }]) => commandMessage(name, input));

const pointer = (path: string, name: string) => ({ $ref: `#/${path}/${name}` });

const operation = (action: string, messages: readonly Message[]) => ({
  action,
  channel: pointer('channels', 'socket'),
  messages: messages.map(({ name }) => pointer('channels/socket/messages', name)),
});

/** What the socket takes and tells, made from the schemas that check it (AsyncAPI 3.0). */
export const asyncApi = (publicUrl: string): Schema => {
  const url = new URL(publicUrl);
  const [takes, tells] = [asked(), told()];
  const all = [...takes, ...tells];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Scripta',
      version: '1',
      description: 'Messages over Socket.IO. A client skips events and fields it does not know.',
    },
    servers: {
      scripta: { host: url.host, protocol: url.protocol === 'https:' ? 'wss' : 'ws' },
    },
    channels: {
      socket: {
        address: '/socket.io',
        messages: Object.fromEntries(
          all.map(({ name }) => [name, pointer('components/messages', name)]),
        ),
      },
    },
    operations: { takes: operation('receive', takes), tells: operation('send', tells) },
    components: { messages: Object.fromEntries(all.map((message) => [message.name, message])) },
  };
};

const escaped = (raw: string): string =>
  raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const part = (title: string, messages: readonly Message[]): string =>
  `<h2>${title}</h2>` +
  messages
    .map(
      ({ name, summary, payload }) =>
        `<details id="${name}"><summary><code>${name}</code> ${escaped(summary)}</summary>` +
        `<pre>${escaped(JSON.stringify(payload, undefined, 2))}</pre></details>`,
    )
    .join('');

/** The same for people: one page without a script. */
const pageOf = (): string => {
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Scripta socket</title>' +
    '<h1>Scripta socket</h1><p><a href="/asyncapi.json">asyncapi.json</a></p>' +
    `${part('What it takes', asked())}${part('What it tells', told())}</html>`
  );
};

/** `/asyncapi.json`, and `/asyncapi` for people. */
export const describeSocketAt = (app: NestExpressApplication, publicUrl: string): void => {
  const http: Express = app.getHttpAdapter().getInstance();
  const [description, page] = [asyncApi(publicUrl), pageOf()];
  http.get('/asyncapi.json', (_: Request, response: Response) => {
    response.json(description);
  });
  http.get('/asyncapi', (_: Request, response: Response) => {
    response.type('html').send(page);
  });
};
