import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One line of a client's ledger: what it tried, what was acknowledged, what it was shown. */
export type Entry =
  | Readonly<{ what: 'sent'; device: string; conversation: string; command: string; text: string }>
  | Readonly<{
      what: 'acknowledged';
      device: string;
      conversation: string;
      command: string;
      messageId: string;
      seq: number;
    }>
  | Readonly<{
      what: 'shown';
      device: string;
      conversation: string;
      messageId: string;
      seq: number;
      text: string;
    }>;

/**
 * What clients saw, kept outside the system and synced: the witness that the platform is checked
 * against.
 */
export class Ledger {
  readonly folder = mkdtempSync(join(tmpdir(), 'scripta-ledger-'));
  readonly path = join(this.folder, 'ledger.jsonl');
  readonly #file = openSync(this.path, 'a');

  /** How many acknowledgements clients have seen. */
  acknowledged = 0;

  write(entry: Entry): void {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    if (entry.what !== 'acknowledged') return;
    fdatasyncSync(this.#file);
    this.acknowledged += 1;
  }

  read(): readonly Entry[] {
    return readFileSync(this.path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Entry => JSON.parse(line));
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** A message as the log has it. */
export type Logged = Readonly<{
  messageId: string;
  conversation: string;
  command: string;
  seq: number;
}>;

const repeated = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name, at) => names.indexOf(name) !== at)),
];

/** Everything in which log and ledger disagree; empty when every promise held. */
export const disagreements = (
  entries: readonly Entry[],
  log: readonly Logged[],
  devices: ReadonlyMap<string, readonly string[]>,
): string[] => {
  const logged = new Map(log.map((message) => [message.messageId, message]));
  const tried = new Set(entries.filter((e) => e.what === 'sent').map((e) => e.command));
  const lost = entries
    .filter((e) => e.what === 'acknowledged')
    .flatMap((entry) => {
      const found = logged.get(entry.messageId);
      if (!found) return [`[V1] acknowledged and not in the log: ${entry.messageId}`];
      return found.seq === entry.seq ? [] : [`[V5] acknowledged as ${entry.seq}, is ${found.seq}`];
    });
  const doubled = repeated(log.map(({ command }) => command)).map((c) => `[V3] twice: ${c}`);
  const invented = log.flatMap(({ command }) => (tried.has(command) ? [] : [`[V2] ${command}`]));
  return [...lost, ...doubled, ...invented, ...misshown(entries, log, devices)];
};

const misshown = (
  entries: readonly Entry[],
  log: readonly Logged[],
  devices: ReadonlyMap<string, readonly string[]>,
): string[] =>
  [...devices].flatMap(([device, conversations]) =>
    conversations.flatMap((conversation) => {
      const shown = entries.flatMap((e) =>
        e.what === 'shown' && e.device === device && e.conversation === conversation
          ? [e.messageId]
          : [],
      );
      const expected = log
        .filter((message) => message.conversation === conversation)
        .toSorted((a, b) => a.seq - b.seq)
        .map(({ messageId }) => messageId);
      if (shown.join() === expected.join()) return [];
      const missing = expected.filter((id) => !shown.includes(id)).length;
      const where = `${device} in ${conversation}`;
      return [
        `[V4] [V5] ${where}: ${missing} missing, ${repeated(shown).length} doubled, ` +
          `${shown.length} shown of ${expected.length}`,
      ];
    }),
  );
