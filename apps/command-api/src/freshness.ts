import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { reject } from '#domain';
import { Views } from '#platform';
import { READ_WITHIN_MS } from './inbox.js';

/** `minPosition`: answer from read models that hold at least this place of the log. */
export const minPosition = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'Must be a position: decimal digits.' })
  .optional();

/** The query of a read that takes nothing else. */
export const freshness = z.strictObject({ minPosition });

/** A number of items from 1 to `max`; more is an error, not cut in silence. */
export const limitUpTo = (max: number, standard: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,3}$/, { error: `Must be a whole number from 1 to ${max}.` })
    .transform(Number)
    .refine((limit) => limit <= max, { error: `Must be a whole number from 1 to ${max}.` })
    .default(standard);

/** Lets a read wait for what its caller has written. */
@Injectable()
export class Freshness {
  constructor(private readonly views: Views) {}

  /** Returns once the views hold the position; `behind` when they do not get there in time. */
  async reach(names: readonly string[], position: string | undefined): Promise<void> {
    if (position === undefined) return;
    if (await this.views.reached(names, Number(position), READ_WITHIN_MS)) return;
    reject('behind', 'The read models have not reached this position yet; try again.');
  }
}
