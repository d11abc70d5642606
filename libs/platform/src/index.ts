export * from './clock.js';
export * from './codec.js';
export * from './config.js';
export * from './crash-points.js';
export * from './event-store.js';
export * from './keys.js';
export * from './uuid.js';
export * from './views.js';
