import { DOCUMENT_BYTES_MAX } from '../storage/documents.js';
import { MESSAGE_BYTES_MAX } from '../wire/message.js';
import { CommandError } from '../errors.js';
import type { Context, Reply } from './context.js';
import { WRITES_MAX } from './write.js';

/** The protocol of MongoDB 7.0: what the mongodb 7 driver asks of a standalone. */
const WIRE_VERSION_MAX = 21;
const VERSION = '7.0.0';
/** MongoDB's default (localLogicalSessionTimeoutMinutes). */
const SESSION_MINUTES = 30;

let connections = 0;

function hello(ctx: Context): Reply {
  const primary = ctx.name === 'hello' ? 'isWritablePrimary' : 'ismaster';
  return {
    helloOk: true,
    [primary]: true,
    maxBsonObjectSize: DOCUMENT_BYTES_MAX,
    maxMessageSizeBytes: MESSAGE_BYTES_MAX,
    maxWriteBatchSize: WRITES_MAX,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: SESSION_MINUTES,
    connectionId: ++connections & 0x7fffffff,
    minWireVersion: 0,
    maxWireVersion: WIRE_VERSION_MAX,
    readOnly: false,
    ok: 1,
  };
}

function buildInfo(): Reply {
  return {
    version: VERSION,
    versionArray: VERSION.split('.').map(Number).concat(0),
    gitVersion: 'embedded-document-store',
    modules: [],
    bits: 64,
    debug: false,
    maxBsonObjectSize: DOCUMENT_BYTES_MAX,
    storageEngines: ['lmdb'],
    ok: 1,
  };
}

function ok(): Reply {
  return { ok: 1 };
}

function refuseTransaction(): Reply {
  throw new CommandError(20, 'Transactions are not supported: this server is a standalone');
}

function whatsMyUri(): Reply {
  return { you: '127.0.0.1:0', ok: 1 };
}

function connectionStatus(): Reply {
  return { authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 };
}

/** Commands about the connection and the server itself. */
export const HANDSHAKE_COMMANDS = {
  hello,
  isMaster: hello,
  ismaster: hello,
  ping: ok,
  endSessions: ok,
  refreshSessions: ok,
  killSessions: ok,
  buildInfo,
  buildinfo: buildInfo,
  whatsmyuri: whatsMyUri,
  connectionStatus,
  commitTransaction: refuseTransaction,
  abortTransaction: refuseTransaction,
};
