export * from './account.js';
export type { Breach } from './chains.js';
export { ScriptaError, type Refusal } from './errors.js';
export * from './events.js';
export * from './groups.js';
export * from './joining.js';
export * from './lists.js';
export type { Ended, Entry, OutboxItem, OutboxState } from './outbox.js';
export * from './messages.js';
export * from './indexed-db-storage.js';
export * from './proof.js';
export * from './protocol.js';
export type { SeenSum } from './seen.js';
export { systemRuntime, uuid4, uuid7, type Cancel, type Runtime } from './runtime.js';
export * from './scripta.js';
export * from './storage.js';
export * from './threads.js';
export type { Fetch } from './rest.js';
export {
  socketIo,
  type Handshake,
  type Transport,
  type Wire,
  type WireListener,
} from './transport.js';
