import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { claim, MakeClaim, Rejection } from '#domain';
import { eventIdOf, Keys, uuidOf } from '#platform';
import type { Draft } from './entries.js';
import { Streams } from './streams.js';

/** What can be held by one person only. */
export type ClaimKind = 'phone' | 'username' | 'device';

/** The stream that stands for a value without showing it; the key is derived for `claims`. */
export const claimStreamOf = (key: Buffer, kind: ClaimKind, value: string): string =>
  `claim-${kind}-${createHmac('sha256', key).update(value).digest('hex')}`;

/** Who holds which phone number or username; the log decides between two who come at once. */
@Injectable()
export class Claims {
  readonly #key: Buffer;

  constructor(
    keys: Keys,
    private readonly streams: Streams,
    private readonly bus: CommandBus,
  ) {
    this.#key = keys.derive('claims');
  }

  /** The stream that stands for a value without showing it. */
  streamOf(kind: ClaimKind, value: string): string {
    return claimStreamOf(this.#key, kind, value);
  }

  /**
   * Takes a value for a person, and gives whoever holds it now: them, or who was first. `asOf`: the
   * revision of their own stream that they saw, where they may have left the value before.
   */
  async take(
    kind: ClaimKind,
    value: string,
    { holder, asOf }: Readonly<{ holder: string; asOf?: number }>,
    draft: Draft,
  ): Promise<string> {
    const stream = this.streamOf(kind, value);
    // What the caller expects, they expect of their own stream.
    const { expect: _expect, ...meta } = draft;
    // A repeat of the draft that has seen more of the stream is another making.
    const commandId = uuidOf(`claim:${draft.commandId}:${asOf}`);
    const eventId = eventIdOf(stream, draft.device ?? '', commandId);
    const making = new MakeClaim({ claim: stream, holder, asOf }, { ...meta, commandId, eventId });
    try {
      await this.bus.execute(making);
      return holder;
    } catch (error) {
      if (!(error instanceof Rejection) || error.code !== 'already_exists') throw error;
      return (await this.#holder(stream)) ?? holder;
    }
  }

  /** Who holds a value, if anyone. */
  holderOf(kind: ClaimKind, value: string): Promise<string | undefined> {
    return this.#holder(this.streamOf(kind, value));
  }

  async #holder(stream: string): Promise<string | undefined> {
    const { state } = await this.streams.look(claim, stream, 0);
    return state.holder;
  }
}
