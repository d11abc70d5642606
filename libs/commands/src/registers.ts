import { Injectable } from '@nestjs/common';
import { ReactionsDoor } from './reactions-door.js';
import { ReceiptsDoor } from './receipts-door.js';

/** The ways in for what is no decision: marks and reactions. */
@Injectable()
export class Registers {
  constructor(
    readonly receipts: ReceiptsDoor,
    readonly reactions: ReactionsDoor,
  ) {}
}
