import { Body, Controller, Delete, Get, Param, Patch, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { arrangement, COMMANDS, Drafts, id, sending } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, limitUpTo, minPosition } from './freshness.js';
import { Keeping } from './keeping.js';

/** Items of one page. */
const PAGE_MAX = 200;

const inside = z.strictObject({ conversationId: id });
const ofMessage = z.strictObject({ conversationId: id, messageId: id });
const saving = COMMANDS['message.save'].input.omit({ conversationId: true, messageId: true });
const listing = z.strictObject({
  limit: limitUpTo(PAGE_MAX, 100),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  minPosition,
});
type Listing = z.infer<typeof listing>;
/** Drafts are no facts: no place of the log says how new they are. */
const listingDrafts = listing.omit({ minPosition: true });

const placeOf = ({ cursor }: Pick<Listing, 'cursor'>): number | undefined =>
  cursor === undefined ? undefined : Number(cursor);

/** What a person keeps for themselves: how their list is, and saved messages. */
@ApiTags('own')
@ApiBearerAuth()
@ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
@Controller('v1')
export class OwnController {
  constructor(
    private readonly keeping: Keeping,
    private readonly fresh: Freshness,
    private readonly drafts: Drafts,
  ) {}

  @Patch('conversations/:conversationId/arrangement')
  @ApiOperation({
    summary: 'Mute (until a time), archive, pin, mark as unread, put in folders, keep settings.',
  })
  arrange(
    @Param({ schema: inside }) params: z.infer<typeof inside>,
    @Body({ schema: arrangement }) body: z.infer<typeof arrangement>,
    @Calling() caller: Caller,
  ) {
    return caller.command('conversation.arrange', { ...params, ...body });
  }

  @Get('me/arrangements')
  @ApiOperation({ summary: 'Conversations arranged after a place in the log (the cursor).' })
  async arranged(@Query({ schema: listing }) query: Listing, @Calling() { who }: Caller) {
    await this.fresh.reach(['arrangements'], query.minPosition);
    return this.keeping.arranged(who.userId, query.limit, placeOf(query));
  }

  @Put('conversations/:conversationId/messages/:messageId/saved')
  @ApiOperation({ summary: 'Keep a message for oneself, with a note if one likes.' })
  save(
    @Param({ schema: ofMessage }) params: z.infer<typeof ofMessage>,
    @Body({ schema: saving }) body: z.infer<typeof saving>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.save', { ...params, ...body });
  }

  @Delete('conversations/:conversationId/messages/:messageId/saved')
  @ApiOperation({ summary: 'Keep it no longer.' })
  unsave(
    @Param({ schema: ofMessage }) params: z.infer<typeof ofMessage>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.unsave', params);
  }

  @Put('conversations/:conversationId/draft')
  @ApiOperation({ summary: 'Keep what one has not said yet, for all of one’s devices.' })
  draft(
    @Param({ schema: inside }) params: z.infer<typeof inside>,
    @Body({ schema: sending }) body: z.infer<typeof sending>,
    @Calling() caller: Caller,
  ) {
    return caller.command('draft.set', { ...params, ...body });
  }

  @Delete('conversations/:conversationId/draft')
  @ApiOperation({ summary: 'It was said, or is not to be said.' })
  undraft(@Param({ schema: inside }) params: z.infer<typeof inside>, @Calling() caller: Caller) {
    return caller.command('draft.clear', params);
  }

  @Get('me/drafts')
  @ApiOperation({ summary: 'Drafts, the last changed first; the cursor is a time.' })
  drafted(
    @Query({ schema: listingDrafts }) query: z.infer<typeof listingDrafts>,
    @Calling() { who }: Caller,
  ) {
    return this.drafts.of(who.userId, query.limit, placeOf(query));
  }

  @Get('me/saved')
  @ApiOperation({ summary: 'Saved messages, newest first.' })
  async saved(@Query({ schema: listing }) query: Listing, @Calling() { who }: Caller) {
    await this.fresh.reach(['saved', 'history', 'members', 'messages'], query.minPosition);
    return this.keeping.saved(who.userId, query.limit, placeOf(query));
  }
}
