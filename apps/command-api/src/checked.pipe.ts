import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { checked } from '#commands';

/** Checks each parameter by the schema that stands beside it, which also describes it at /docs. */
@Injectable()
export class CheckedPipe implements PipeTransform {
  transform(value: unknown, { schema, type }: ArgumentMetadata): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    return checked(schema, type === 'body' ? (value ?? {}) : value);
  }
}
