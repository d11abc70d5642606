import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { id } from '#commands';
import { pageOf, proofLine } from '#proof';
import { Calling, Open, type Caller } from './caller.js';
import { limitUpTo } from './freshness.js';
import { PROOF_FACTS_MAX, Proofs } from './proofs.js';

const inside = z.strictObject({ conversationId: id });
const part = z.strictObject({
  format: z.enum(['json', 'html']).default('json'),
  from: z
    .string()
    .regex(/^\d{1,15}$/, { error: 'Must be a seq.' })
    .transform(Number)
    .optional(),
  limit: limitUpTo(PROOF_FACTS_MAX, PROOF_FACTS_MAX),
});

/** Proof for third parties that something was said, and that nobody altered the log. */
@ApiTags('proofs')
@Controller('v1')
export class ProofsController {
  constructor(private readonly proofs: Proofs) {}

  @Get('log/head')
  @Open()
  @ApiOperation({ summary: 'The latest signed head over the whole log; keep it to compare later.' })
  head() {
    return this.proofs.head();
  }

  @Get('conversations/:conversationId/proof')
  @ApiBearerAuth()
  @ApiOperation({ summary: 'A conversation with inclusion proofs, as a file for third parties.' })
  async proof(
    @Param({ schema: inside }) { conversationId }: z.infer<typeof inside>,
    @Query({ schema: part }) { format, from = 0, limit }: z.infer<typeof part>,
    @Calling() { who }: Caller,
    @Res() response: Response,
  ): Promise<void> {
    const proof = await this.proofs.of(who.userId, conversationId, { from, limit });
    const line = proofLine(proof);
    const name = `conversation-${conversationId}-${from}.${format}`;
    response.set('Content-Disposition', `attachment; filename="${name}"`);
    response.type(format).send(format === 'html' ? pageOf(proof, line) : line);
  }
}
