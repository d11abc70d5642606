import { fileURLToPath } from 'node:url';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

/** Libraries resolve to their sources, so that a test never runs against a stale build. */
const conditions = ['source'];

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  plugins: [swc.vite({ module: { type: 'es6' } })],
  test: {
    include: ['{apps,libs,embedded,tools,test}/**/*.spec.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
