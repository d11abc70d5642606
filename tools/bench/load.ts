/** What the generator is told: who talks where, and how. */
export type Load = Readonly<{
  socketUrl: string;
  users: readonly Readonly<{ token: string; conversations: readonly string[] }>[];
  /** Messages per second over all users; without it each sends again once acknowledged. */
  ratePerS?: number;
  seconds: number;
  /** Deliveries of each message: every member's device but the sender's. */
  readers: number;
}>;

/** What the generator saw. Times in ms, from the intended moment of sending. */
export type Outcome = Readonly<{
  acknowledged: number;
  refused: number;
  delivered: number;
  duplicated: number;
  misordered: number;
  lost: number;
  seconds: number;
  ackMs: readonly number[];
  deliveredMs: readonly number[];
}>;
