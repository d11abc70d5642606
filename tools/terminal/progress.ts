import { Presets, SingleBar } from 'cli-progress';

/** How often plain lines are printed where there is no terminal (ms). */
const LINE_MS = 5_000;

/** Shows how far something long has come. */
export type Progress = Readonly<{ step: (by?: number) => void; end: () => void }>;

const bar = (what: string, total: number): Progress => {
  const shown = new SingleBar(
    {
      format: `${what} {bar} {value}/{total} · {rate}/s · {eta_formatted} left`,
      hideCursor: true,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  const began = performance.now();
  let done = 0;
  shown.start(total, 0, { rate: 0 });
  return {
    step: (by = 1) => {
      done += by;
      const rate = Math.round((done * 1_000) / (performance.now() - began + 1));
      shown.update(done, { rate });
    },
    end: () => shown.stop(),
  };
};

const lines = (what: string, total: number): Progress => {
  const began = performance.now();
  let done = 0;
  let told = began;
  const tell = (): void => {
    const seconds = (performance.now() - began) / 1_000;
    const rate = done / Math.max(seconds, 0.001);
    const left = rate > 0 ? Math.ceil((total - done) / rate) : 0;
    process.stderr.write(`${what} ${done}/${total} · ${Math.round(rate)}/s · ${left} s left\n`);
  };
  return {
    step: (by = 1) => {
      done += by;
      if (performance.now() - told < LINE_MS) return;
      told = performance.now();
      tell();
    },
    end: tell,
  };
};

/** A bar with rate and time left on a terminal, plain lines elsewhere; both on standard error. */
export const progress = (what: string, total: number): Progress =>
  process.stderr.isTTY ? bar(what, total) : lines(what, total);
