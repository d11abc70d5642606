import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { COMMANDS } from '#commands';
import { FACT_TYPES } from '#domain';
import { openDoor, type Door } from './door.js';

let door: Door;
beforeAll(async () => {
  door = await openDoor();
});
afterAll(() => door.close());

/** What AsyncAPI 3.0 asks of the parts that are used here. */
const reference = z.strictObject({ $ref: z.string().startsWith('#/') });
const operation = z.strictObject({
  action: z.enum(['send', 'receive']),
  channel: reference,
  messages: z.array(reference).min(1),
});
const described = z.strictObject({
  asyncapi: z.literal('3.0.0'),
  info: z.strictObject({ title: z.string(), version: z.string(), description: z.string() }),
  servers: z.record(
    z.string(),
    z.strictObject({ host: z.string(), protocol: z.enum(['ws', 'wss']) }),
  ),
  channels: z.record(
    z.string(),
    z.strictObject({ address: z.string(), messages: z.record(z.string(), reference) }),
  ),
  operations: z.record(z.string(), operation),
  components: z.strictObject({
    messages: z.record(
      z.string(),
      z.strictObject({
        name: z.string(),
        summary: z.string(),
        payload: z.record(z.string(), z.unknown()),
      }),
    ),
  }),
});

const at = (root: unknown, $ref: string): unknown =>
  $ref
    .slice(2)
    .split('/')
    .reduce<unknown>((part, name) => Object(part)[name], root);

describe('the description at /asyncapi.json', () => {
  it('is AsyncAPI 3.0 whose references all lead somewhere', async () => {
    const body: unknown = (await door.send('GET', '/asyncapi.json')).body;
    const { channels, operations } = described.parse(body);
    const references = [
      ...Object.values(channels).flatMap(({ messages }) => Object.values(messages)),
      ...Object.values(operations).flatMap(({ channel, messages }) => [channel, ...messages]),
    ];
    for (const { $ref } of references) expect([$ref, at(body, $ref)]).not.toContain(undefined);
  });
  it('has every command and every fact, each with a schema that compiles', async () => {
    const body: unknown = (await door.send('GET', '/asyncapi.json')).body;
    const { messages } = described.parse(body).components;
    const names = [...Object.keys(COMMANDS), ...Object.values(FACT_TYPES), 'account', 'own'];
    expect(Object.keys(messages).toSorted()).toEqual(names.toSorted());
    const ajv = new Ajv({ strict: false, validateFormats: false });
    for (const { payload } of Object.values(messages))
      expect(ajv.validateSchema(payload)).toBe(true);
    const arrange = ajv.compile(messages['conversation.arrange']?.payload ?? {});
    const id = '6f1e1f7e-8f6e-4f5e-9d5e-2f6f1e1f7e8f';
    expect(arrange({ v: 1, id, data: { conversationId: id, pinned: true } })).toBe(true);
    expect(arrange({ v: 1, id, data: { conversationId: id, pinned: 'often' } })).toBe(false);
  });
  it('has a page that needs nothing from elsewhere', async () => {
    const { text, headers } = await door.send('GET', '/asyncapi');
    expect(headers.get('content-type')).toContain('text/html');
    expect(text).toContain('conversation.arrange');
    expect(text).not.toMatch(/<script|src=|https?:\/\/(?!json-schema)/u);
  });
});
