import type { Breach } from './chains.js';
import type { ScriptaError } from './errors.js';
import type { Ended, OutboxItem } from './outbox.js';
import type {
  Fact,
  FactOf,
  FactType,
  Notice,
  OwnNotice,
  ReactionsSet,
  ReactionState,
  ReceiptsMoved,
  ReceiptState,
} from './protocol.js';
import type { Runtime } from './runtime.js';
import type { Fetch } from './rest.js';
import type { ScriptaStorage } from './storage.js';
import type { Transport } from './transport.js';

/** How the client stands: `live` means that facts arrive as they happen. */
export type State = 'connecting' | 'resuming' | 'live' | 'closed';

/** What the client tells the application. */
export type ScriptaEvents = { [Type in FactType]: FactOf<Type> } & {
  /** Every fact, whatever its type: each once, in the order of its conversation. */
  fact: Fact;
  'receipts.moved': ReceiptsMoved;
  /** Marks as they stand, after having been away. */
  receipts: readonly ReceiptState[];
  'reactions.set': ReactionsSet;
  /** What is felt about messages, after having been away: as it stands. */
  reactions: readonly ReactionState[];
  /** Something happened to the account: a login, a new device, a session that ended. */
  account: Notice;
  /** One of one's own devices arranged a conversation, saved a message or wrote a draft. */
  own: OwnNotice;
  state: State;
  /** The log is another than it was: fetch lists and history anew. */
  resync: undefined;
  /** What was shown does not follow from what was shown before: the server hides or alters. */
  integrity: Breach;
  /** A message of this device stands otherwise: shown at once, and rolled back where it failed. */
  outbox: OutboxItem;
  /** How a command ended, also one of an earlier run. */
  ended: Ended;
  /** The server does not let this client in any more: log in, and connect again. */
  refused: ScriptaError;
};

/** Where the platform is, who speaks, and where to keep things. */
export type ScriptaOptions = Readonly<{
  url: string | Readonly<{ rest: string; socket: string }>;
  /** The application's own key, where the deployment asks for one. */
  apiKey?: string;
  token?: string;
  userId?: string;
  deviceId?: string;
  storage?: ScriptaStorage;
  runtime?: Runtime;
  /** How connections and requests are made, where not over the network. */
  transport?: Transport;
  fetch?: Fetch;
}>;

/** What a group is made of. */
export type NewGroup = Readonly<{
  name: string;
  members: readonly string[];
  conversationId?: string;
}>;
