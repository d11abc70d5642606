import type { Request } from 'express';

const traces = new WeakMap<Request, string>();

/** Gives a request the id under which its facts and its log lines are found again. */
export const traced = (request: Request, id: string): void => {
  traces.set(request, id);
};

/** The id of a request. */
export const traceOf = (request: Request): string =>
  traces.get(request) ?? '00000000-0000-0000-0000-000000000000';
