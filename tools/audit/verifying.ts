import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { once } from 'node:events';
import type { KeyObject } from 'node:crypto';
import { EVERY_STREAM, provenLog, type EventStore } from '#platform';
import {
  eventLine,
  ExportCheck,
  footerLine,
  headerLine,
  headLine,
  isSignedBy,
  LeafCheck,
  leafOf,
  type Checked,
  type CheckOptions,
} from '#proof';
import type { OnProgress } from '../rebuild/following.js';

/** A line longer than an event can be is none: it would only fill the memory. */
const LINE_CHARS_MAX = 64 * 2 ** 20;

/** The lines of a file and the bytes read so far, in a memory that does not grow. */
async function* linesOf(path: string): AsyncGenerator<readonly [lines: string[], bytes: number]> {
  let rest = '';
  let bytes = 0;
  const stream = createReadStream(path, { encoding: 'utf8', highWaterMark: 2 ** 20 });
  for await (const chunk of stream) {
    const text = String(chunk);
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARS_MAX) throw new Error(`A line of ${path} has no end.`);
    bytes = stream.bytesRead;
    yield [lines, bytes];
  }
  if (rest !== '') yield [[rest], bytes];
}

/** Checks an export; needs nothing but the file and the key. */
export const verifyExport = async (
  path: string,
  options: CheckOptions,
  onProgress: OnProgress,
): Promise<Checked> => {
  const check = new ExportCheck(options);
  const { size } = statSync(path);
  for await (const [lines, bytes] of linesOf(path)) {
    for (const line of lines) check.line(line);
    onProgress(check.events, bytes, size);
  }
  return check.end();
};

const endOf = async (store: EventStore): Promise<number> =>
  (await store.head(EVERY_STREAM))?.position ?? 0;

/** Checks a living log against all heads that stand in it, and those known from outside. */
export const verifyLog = async (
  store: EventStore,
  options: CheckOptions,
  onProgress: OnProgress,
): Promise<Checked> => {
  const check = new LeafCheck(options);
  const end = await endOf(store);
  for await (const { events, head } of provenLog(store)) {
    for (const event of events) check.event(event, leafOf(event));
    if (head) check.head(head);
    onProgress(check.size, events.at(-1)?.position ?? 0, end);
  }
  return check.end();
};

/** Writes the whole log as an export, with the heads that a key has signed. */
export const exportLog = async (
  store: EventStore,
  { path, key, at }: Readonly<{ path: string; key: KeyObject; at: string }>,
  onProgress: OnProgress,
): Promise<Readonly<{ events: number; heads: number }>> => {
  const out = createWriteStream(path, { flags: 'wx' });
  await once(out, 'open');
  const write = async (text: string): Promise<void> => {
    if (!out.write(text)) await once(out, 'drain');
  };
  const end = await endOf(store);
  let [events, heads] = [0, 0];
  await write(`${headerLine(at)}\n`);
  for await (const batch of provenLog(store)) {
    let text = '';
    for (const event of batch.events) {
      text += `${eventLine(event, events).line}\n`;
      events += 1;
    }
    const { head } = batch;
    if (head && isSignedBy(head, key)) {
      const { size, root, position, at: signedAt, key: by, signature } = head;
      text += `${headLine({ size, root, position, at: signedAt, key: by, signature })}\n`;
      heads += 1;
    }
    await write(text);
    onProgress(events, batch.events.at(-1)?.position ?? 0, end);
  }
  await write(`${footerLine(events, heads)}\n`);
  out.end();
  await once(out, 'close');
  return { events, heads };
};
