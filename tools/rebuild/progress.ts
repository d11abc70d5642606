import { Presets, SingleBar } from 'cli-progress';
import type { OnProgress } from './following.js';

/** Where there is no terminal, a line this often (ms). */
const LINE_MS = 5_000;

/** Shows progress: a bar on a terminal, plain lines otherwise. `--json` keeps it off stdout. */
export const showProgress = (stream: NodeJS.WriteStream) => {
  const began = performance.now();
  const rate = (events: number): number =>
    Math.round((1_000 * events) / Math.max(1, performance.now() - began));
  const format = '{bar} {percentage} % | {events} events | {rate} events/s';
  const bar = stream.isTTY ? new SingleBar({ format, stream }, Presets.shades_classic) : undefined;
  bar?.start(1, 0, { events: 0, rate: 0 });
  let told = began;
  const onProgress: OnProgress = (events, position, upTo) => {
    bar?.setTotal(Math.max(1, upTo));
    bar?.update(Math.max(0, position), { events, rate: rate(events) });
    if (bar || performance.now() - told < LINE_MS) return;
    told = performance.now();
    const percent = upTo <= 0 ? 100 : Math.floor((100 * position) / upTo);
    stream.write(`${percent} %, ${events} events, ${rate(events)} events/s\n`);
  };
  return { onProgress, end: () => bar?.stop() };
};
