import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { Drafts, PORTS, type KeptDraft, type Ports } from '#commands';
import { DRAFT_CHANGED, type OwnNotice } from '#domain';
import type { Cancel } from '#platform';
import { Connections } from './connections.js';

/** How often this process looks for drafts that any process has kept (ms): as fast as one types. */
const LOOK_MS = 500;
/** How far each look goes back (ms): clocks of processes differ, and a write takes its time. */
const OVERLAP_MS = 2_000;
/** Drafts of one look; the others come with the next. */
const AT_ONCE = 1_000;

/** Tells people's devices that a draft was changed on another one, whichever process took it. */
@Injectable()
export class DraftNews implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(DraftNews.name);
  #sinceMs = 0;
  /** Changes that were told, by when they were made. */
  readonly #told = new Map<string, number>();
  #stop: Cancel | undefined;
  #looking = false;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly drafts: Drafts,
    private readonly connections: Connections,
  ) {}

  onApplicationBootstrap(): void {
    this.#sinceMs = this.ports.clock.now();
    this.#stop = this.ports.timer.every(LOOK_MS, () => void this.look());
  }

  beforeApplicationShutdown(): void {
    this.#stop?.();
  }

  /** Tells what has changed since the last look. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#tellChanged();
    } catch (error) {
      this.#logger.warn(`News of drafts wait: ${String(error)}`);
    } finally {
      this.#looking = false;
    }
  }

  async #tellChanged(): Promise<void> {
    const nowMs = this.ports.clock.now();
    if (this.connections.size === 0) {
      this.#sinceMs = nowMs - OVERLAP_MS;
      return;
    }
    const changed = await this.drafts.changedSince(this.#sinceMs, AT_ONCE);
    for (const draft of changed.filter(({ changeId }) => !this.#told.has(changeId))) {
      this.#told.set(draft.changeId, draft.changedAtMs);
      this.#tell(draft);
    }
    const last = changed.at(-1)?.changedAtMs ?? 0;
    this.#sinceMs = changed.length === AT_ONCE ? last : nowMs - OVERLAP_MS;
    for (const [changeId, atMs] of this.#told)
      if (atMs < this.#sinceMs) this.#told.delete(changeId);
  }

  #tell({ userId, conversationId, changeId, changedAtMs, by }: KeptDraft): void {
    const notice: OwnNotice = {
      v: 1,
      id: changeId,
      type: DRAFT_CHANGED,
      at: new Date(changedAtMs).toISOString(),
      conversationId,
      ...(by === undefined ? {} : { by }),
    };
    for (const connection of this.connections.of(userId)) connection.socket.emit('own', notice);
  }
}
