import type { z } from 'zod';
import { Rejection, REJECTION_CODES, type RejectionCode } from '#domain';

/** Complaints that one answer lists at most. */
const ERRORS_MAX = 10;

/** One thing that is wrong with an input: where, and what it should be; never what was sent. */
export type InputError = Readonly<{ path: string; message: string }>;

const codeOf = (issue: z.core.$ZodIssue): RejectionCode => {
  const said: unknown = issue.code === 'custom' ? issue.params?.['code'] : undefined;
  return REJECTION_CODES.find((code) => code === said) ?? 'bad_request';
};

const messageOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'unrecognized_keys' ? 'Has fields that are not known here.' : issue.message;

/** The input as its schema has it; throws `bad_request`, `invalid` or `too_large`, saying where. */
export const checked = <S extends z.ZodType>(schema: S, input: unknown): z.infer<S> => {
  const read = schema.safeParse(input);
  if (read.success) return read.data;
  const { issues } = read.error;
  const errors = issues.slice(0, ERRORS_MAX).map((issue): InputError => ({
    path: issue.path.map(String).join('.'),
    message: messageOf(issue),
  }));
  const codes = issues.map(codeOf);
  const code = codes.includes('bad_request') ? 'bad_request' : (codes[0] ?? 'bad_request');
  const first = errors[0];
  const where = first && first.path !== '' ? `${first.path}: ` : '';
  throw new Rejection(code, `${where}${first?.message ?? 'Not as described.'}`, { errors });
};
