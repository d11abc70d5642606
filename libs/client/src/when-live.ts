import type { Emitter } from './emitter.js';
import { closed } from './errors.js';
import type { ScriptaEvents } from './events.js';

/** Resolves when a client is live; rejects when it is refused, or closed before. */
export const whenLive = (emitter: Emitter<ScriptaEvents>): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = [
      emitter.on('state', (state) => {
        if (state === 'live') done(resolve);
        if (state === 'closed') done(() => reject(closed()));
      }),
      emitter.on('refused', (error) => done(() => reject(error))),
    ];
    const done = (settle: () => void) => {
      for (const off of stop) off();
      settle();
    };
  });
