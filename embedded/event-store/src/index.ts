export { startEventStore, type EventStoreOptions, type RunningEventStore } from './server.js';
