/** What the platform says when it refuses, or the SDK when it cannot reach it. */
export type Refusal = Readonly<{
  code: string;
  message: string;
  retryable: boolean;
  retryAfterMs?: number;
  details?: Readonly<Record<string, unknown>>;
  traceId?: string;
}>;

/** A refusal, or a failure of the way there: `code` is stable, `message` is for people. */
export class ScriptaError extends Error {
  override readonly name = 'ScriptaError';
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly traceId: string | undefined;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options);
    this.code = refusal.code;
    this.retryable = refusal.retryable;
    this.retryAfterMs = refusal.retryAfterMs;
    this.details = refusal.details ?? {};
    this.traceId = refusal.traceId;
  }
}

/** What is still waited for when the client is closed. */
export const closed = (): ScriptaError =>
  new ScriptaError({ code: 'closed', message: 'The client was closed.', retryable: true });

/** Two clients of one storage would send everything twice. */
export const inUse = (): ScriptaError =>
  new ScriptaError({
    code: 'in_use',
    message: 'Another tab or process uses this storage; there is one client of it at a time.',
    retryable: true,
  });
