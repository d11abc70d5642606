import { Injectable } from '@nestjs/common';
import type { Recorded, ScriptaEvent } from '#domain';
import { ReactionNews } from './reactions.js';
import { ReceiptNews } from './receipts.js';

/** Tells of what is no decision: marks and reactions. */
@Injectable()
export class RegisterNews {
  constructor(
    private readonly receipts: ReceiptNews,
    private readonly reactions: ReactionNews,
  ) {}

  /** Hears of an event; whether it was a tick of registers, of which nobody is told elsewhere. */
  hear(event: Recorded<ScriptaEvent>): boolean {
    switch (event.type) {
      case 'MarksMoved':
        this.receipts.tell(event);
        return true;
      case 'ReactionsSet':
        this.reactions.tell(event);
        return true;
      case 'MessageSent':
        this.reactions.said(event.id, event.position);
        return false;
      default:
        return false;
    }
  }
}
