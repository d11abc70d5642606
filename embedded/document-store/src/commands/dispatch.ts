import { toBytes } from '../bson/convert.js';
import { truthOf } from '../bson/number.js';
import { type Raw, TYPE, fieldsOf } from '../bson/raw.js';
import { CommandError } from '../errors.js';
import type { Request } from '../wire/message.js';
import { ADMIN_COMMANDS } from './admin.js';
import { AGGREGATE_COMMANDS } from './aggregate.js';
import { Context, type Reply, type Server } from './context.js';
import { EXPLAIN_COMMANDS } from './explain.js';
import { FIND_COMMANDS } from './find.js';
import { FIND_AND_MODIFY_COMMANDS } from './find-and-modify.js';
import { HANDSHAKE_COMMANDS } from './handshake.js';
import { INDEX_COMMANDS } from './indexes.js';
import { WRITE_COMMANDS } from './write.js';

type Handler = (ctx: Context) => Reply | Promise<Reply>;

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>(
  Object.entries({
    ...HANDSHAKE_COMMANDS,
    ...FIND_COMMANDS,
    ...WRITE_COMMANDS,
    ...FIND_AND_MODIFY_COMMANDS,
    ...AGGREGATE_COMMANDS,
    ...ADMIN_COMMANDS,
    ...INDEX_COMMANDS,
    ...EXPLAIN_COMMANDS,
  }),
);

/** Transactions are never faked: what asks for one is refused as a standalone does (code 20). */
function refuseTransactions(fields: ReadonlyMap<string, Raw>): void {
  const isTransaction =
    fields.has('txnNumber') ||
    truthOf(fields.get('startTransaction')) ||
    fields.get('autocommit')?.type === TYPE.bool;
  if (!isTransaction) return;
  throw new CommandError(20, 'Transactions are not supported: this server is a standalone');
}

function contextOf(server: Server, request: Request): [Handler, Context] {
  const fields = fieldsOf(request.body);
  const [name] = fields.keys();
  const handler = name === undefined ? undefined : HANDLERS.get(name);
  if (name === undefined || handler === undefined) {
    throw new CommandError(59, `no such command: '${name ?? ''}'`);
  }
  refuseTransactions(fields);
  return [handler, new Context(server, name, fields, request.sequences)];
}

function encode(reply: Reply): Buffer {
  return Buffer.isBuffer(reply) ? reply : toBytes(reply);
}

function encodeError(error: unknown): Buffer {
  if (error instanceof CommandError) {
    const { code, codeName, message, extra } = error;
    return toBytes({ ok: 0, errmsg: message, code, codeName, ...extra });
  }
  const message = error instanceof Error ? error.message : String(error);
  return toBytes({ ok: 0, errmsg: message, code: 1, codeName: 'InternalError' });
}

/** Answers one request; whatever goes wrong is told in the reply. */
export function answer(server: Server, request: Request): Buffer | Promise<Buffer> {
  try {
    const [handler, ctx] = contextOf(server, request);
    const reply = handler(ctx);
    return reply instanceof Promise ? reply.then(encode).catch(encodeError) : encode(reply);
  } catch (error) {
    return encodeError(error);
  }
}
