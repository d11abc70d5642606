import {
  inclusionPath,
  KeptTree,
  leafOf,
  PROOF_FORMAT,
  type ConversationProof,
  type NodeSource,
  type ProvenEntry,
  type SignedHead,
} from '#proof';
import type { EventStore, LogEvent } from './event-store.js';
import type { Keys } from './keys.js';
import { TileReader } from './leaf-tiles.js';
import { lastHead, stretches, type KeptHead } from './proven-log.js';
import { isSealed, unseal } from './sealing.js';
import type { Operations } from './views.js';

/** With which keys what is proven is opened, and what stays closed all the same. */
export type Opening = Readonly<{
  keys?: Keys | undefined;
  isClosed?: (logged: LogEvent) => boolean;
}>;

/** A signed head with the tree under it, and which leaf an event is. */
type Under = Readonly<{
  head: KeptHead;
  node: NodeSource;
  indexOf: (position: number) => Promise<number | undefined> | number | undefined;
}>;

/** What was sealed, with its salt; nothing once the author's key was destroyed. */
const openedOf = async (event: LogEvent, keys: Keys): Promise<ProvenEntry['opened']> => {
  const { sealed } = event.data;
  const key = isSealed(sealed) && (await keys.find(sealed.subject));
  if (!isSealed(sealed) || !key) return undefined;
  return Object.fromEntries(
    Object.entries(unseal(sealed, event, key)).map(([name, text]) => [name, String(text)]),
  );
};

/** Makes proofs that anybody can check, against the latest signed head. */
export class LogProver {
  private constructor(private readonly under: Under) {}

  /** From the tree that the auditor keeps; nothing while no head was signed. */
  static async fromTiles(
    store: EventStore,
    operations: Operations,
  ): Promise<LogProver | undefined> {
    const head = await lastHead(store);
    if (!head) return undefined;
    const { size: end, position } = await TileReader.end(operations);
    const tail: Buffer[] = [];
    const positions = new Map<number, number>();
    if (end < head.size)
      for await (const { events } of stretches(store, end === 0 ? undefined : position)) {
        for (const event of events) {
          positions.set(event.position, end + tail.length);
          tail.push(leafOf(event));
        }
        if (end + tail.length >= head.size) break;
      }
    const reader = new TileReader(operations, end, tail);
    const indexOf = (at: number) => positions.get(at) ?? reader.indexOf(at);
    return new LogProver({ head, node: reader.node, indexOf });
  }

  /** From the log itself, read as a whole; for logs of which no tree is kept. */
  static async fromLog(
    store: EventStore,
    stream: string,
    onProgress: (events: number, position: number, upTo: number) => void,
  ): Promise<LogProver | undefined> {
    const head = await lastHead(store);
    if (!head) return undefined;
    const tree = new KeptTree();
    const indexes = new Map<number, number>();
    for await (const { events, position } of stretches(store)) {
      for (const event of events) {
        if (event.stream === stream) indexes.set(event.position, tree.size);
        tree.append(leafOf(event));
      }
      onProgress(tree.size, position, head.position);
      if (tree.size >= head.size) break;
    }
    return new LogProver({ head, node: tree.node, indexOf: (at) => indexes.get(at) });
  }

  /** The last position that can be proven. */
  get position(): number {
    return this.under.head.position;
  }

  /**
   * Events of a conversation as a proof, opened with keys where they may be; those after the head
   * are left out.
   */
  async prove(
    conversationId: string,
    events: readonly LogEvent[],
    { keys, isClosed = () => false }: Opening = {},
  ): Promise<ConversationProof> {
    const { head, node, indexOf } = this.under;
    const entries: ProvenEntry[] = [];
    for (const logged of events) {
      const index = await indexOf(logged.position);
      if (index === undefined || index >= head.size) continue;
      const { type, id, stream, revision, data } = logged;
      const path = (await inclusionPath(node, index, head.size)).map((one) => one.toString('hex'));
      const opened = keys && !isClosed(logged) ? await openedOf(logged, keys) : undefined;
      const event = { type, id, stream, revision, data };
      entries.push({ event, index, path, ...(opened ? { opened } : {}) });
    }
    const { publicKey } = head;
    return { format: PROOF_FORMAT, conversationId, head: signedPart(head), publicKey, entries };
  }
}

const signedPart = ({ size, root, position, at, key, signature }: KeptHead): SignedHead => ({
  size,
  root,
  position,
  at,
  key,
  signature,
});
