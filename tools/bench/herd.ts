import { Device, type DevicePort } from './device.js';
import type { Back } from './load.js';

/** Pause before a device that was not let in tries again, and its longest (ms), doubled meanwhile. */
const AGAIN_MS = 500;
const AGAIN_MS_MAX = 8_000;

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

const nothing = (): void => undefined;

/** Connects a device where another of the same seat stood; false where it was not let in. */
const enters = async (former: Device, url: string, heard: () => void): Promise<boolean> => {
  const { promise: lost, resolve } = Promise.withResolvers<false>();
  const port: DevicePort = {
    acknowledged: nothing,
    delivered: heard,
    refused: nothing,
    retried: nothing,
    behind: nothing,
    closed: () => resolve(false),
  };
  const device = new Device(url, former.seat, port, former.standing);
  return Promise.race([device.enter().then(() => true), lost]);
};

/**
 * Has devices come back at moments spread evenly over some seconds, as the SDK's jitter spreads
 * them; who is not let in tries again after a growing pause.
 */
export const comeBack = async (
  devices: readonly Device[],
  url: string,
  spreadS: number,
): Promise<Back> => {
  const beganMs = performance.now();
  const caughtUpMs: number[] = [];
  let [facts, again] = [0, 0];
  const heard = (): void => {
    facts += 1;
  };
  const one = async (device: Device, at: number): Promise<void> => {
    await sleep((spreadS * 1_000 * at) / devices.length);
    for (let pauseMs = AGAIN_MS; !(await enters(device, url, heard)); again += 1) {
      await sleep(pauseMs * (0.5 + Math.random() / 2));
      pauseMs = Math.min(2 * pauseMs, AGAIN_MS_MAX);
    }
    caughtUpMs.push(performance.now() - beganMs);
  };
  await Promise.all(devices.map(one));
  return { caughtUpMs, facts, again };
};
