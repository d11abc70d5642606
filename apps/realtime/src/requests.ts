import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { AccountNews, checked, emoji, id, Registers } from '#commands';
import { reject } from '#domain';
import type { Connection } from './connections.js';
import { Limits } from './limits.js';
import { PAGE_FACTS_MAX } from './pages.js';
import type { Reader } from './reader.js';
import { Resume } from './resume.js';

const place = z.string().regex(/^(0|[1-9]\d{0,15})$/);
const resumeSchema = z.strictObject({
  v: z.literal(1),
  cursor: z.string().max(100).nullable(),
  after: z
    .strictObject({ position: place, id: z.uuid() })
    .transform(({ position, id: eventId }) => ({ position: Number(position), eventId }))
    .optional(),
  limit: z.int().min(1).max(PAGE_FACTS_MAX).optional(),
});
const ackSchema = z.strictObject({
  v: z.literal(1),
  position: place,
  seen: z
    .strictObject({
      from: place,
      count: z.int().min(0),
      ids: z.string().regex(/^[0-9a-f]{32}$/),
      disorder: z.int().min(0),
    })
    .optional(),
});
const markSchema = z.strictObject({
  v: z.literal(1),
  id,
  data: z.strictObject({
    conversationId: id,
    kind: z.enum(['delivered', 'read']),
    seq: z.int().min(0),
  }),
});
const reactionSchema = z.strictObject({
  v: z.literal(1),
  id,
  data: z.strictObject({ conversationId: id, messageId: id, emoji: emoji.optional() }),
});
const refreshSchema = z.strictObject({ v: z.literal(1), token: z.string().min(1) });

/** What is answered to an event, and what is done once the answer is on its way. */
export type Answer = Readonly<{ answer: object; afterwards?: () => void }>;

type Handle = (connection: Connection, payload: unknown) => Promise<Answer>;

/** The events of the socket door that are no commands: resuming, marks, reactions, tokens. */
@Injectable()
export class Requests {
  readonly #handles = new Map<string, Handle>([
    ['resume', (connection, payload) => this.#resume(connection, payload)],
    ['receipt.mark', (connection, payload) => this.#mark(connection, payload)],
    ['reaction.set', (connection, payload) => this.#react(connection, payload)],
    ['auth.refresh', (connection, payload) => this.#refresh(connection, payload)],
  ]);

  constructor(
    private readonly resumes: Resume,
    private readonly registers: Registers,
    private readonly limits: Limits,
    private readonly news: AccountNews,
  ) {}

  /** How an event is handled; nothing where nobody knows it. */
  of(name: string): Handle | undefined {
    return this.#handles.get(name);
  }

  /**
   * A cumulative acknowledgement: what was told up to there has arrived. Gives whether it is one.
   */
  acknowledge({ reader }: Connection, payload: unknown): boolean {
    const read = ackSchema.safeParse(payload);
    if (!read.success) return false;
    const upTo = Number(read.data.position);
    if (read.data.seen) reader.path.seen(read.data.seen, upTo);
    this.#delivered(reader, upTo);
    return true;
  }

  async #resume(connection: Connection, payload: unknown): Promise<Answer> {
    const { cursor, after, limit } = checked(resumeSchema, payload);
    const { reader } = connection;
    await this.limits.mayResume(reader.deviceId);
    const from = cursor === null ? undefined : this.resumes.placeOf(reader, cursor, after);
    // Whoever asks for what comes after has what came before.
    if (from) this.#delivered(reader, from.position);
    const { page, position, afterwards } = await this.resumes.resume(reader, { from, limit });
    connection.resumed(page.live);
    return { answer: { data: page, position }, afterwards };
  }

  async #mark({ reader }: Connection, payload: unknown): Promise<Answer> {
    const { data } = checked(markSchema, payload);
    const { userId, deviceId: device } = reader;
    return { answer: await this.registers.receipts.mark({ ...data, userId, device }) };
  }

  async #react({ reader }: Connection, payload: unknown): Promise<Answer> {
    const { data } = checked(reactionSchema, payload);
    const { userId, deviceId: device } = reader;
    return { answer: await this.registers.reactions.react({ ...data, userId, device }) };
  }

  async #refresh(connection: Connection, payload: unknown): Promise<Answer> {
    const { token } = checked(refreshSchema, payload);
    const { userId, deviceId, sessionId, expiresAtMs } = await this.news.verify(token);
    if (userId !== connection.reader.userId || deviceId !== connection.reader.deviceId)
      reject('unauthorized', 'This token is of another person or device.');
    connection.sessionId = sessionId;
    connection.expiresAtMs = Math.max(connection.expiresAtMs, expiresAtMs);
    return { answer: { data: { expiresAt: new Date(connection.expiresAtMs).toISOString() } } };
  }

  #delivered(reader: Reader, position: number): void {
    const { userId, deviceId: device } = reader;
    const reached = reader.acknowledge(position);
    if (reached.length > 0)
      this.registers.receipts.delivered(reached.map((mark) => ({ ...mark, userId, device })));
  }
}
