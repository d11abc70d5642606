export * from './event-store.contract.js';
export * from './faulty-store.js';
export * from './given.js';
export * from './memory-ports.js';
export * from './memory-views.js';
export * from './until.js';
export * from './people.js';
export * from './platform.js';
