/** A device of a person, and the conversations it talks in. */
export type Seat = Readonly<{ userId: string; token: string; conversations: readonly string[] }>;

/** What the generator is told. */
export type Load = Readonly<{
  socketUrl: string;
  seats: readonly Seat[];
  /** What is said, in every message. */
  text: string;
  /**
   * Messages per second over all devices, at times fixed beforehand (open loop). Without it each
   * device says its next when its last was acknowledged and delivered to all others (closed loop).
   */
  ratePerS?: number;
  warmUpS: number;
  seconds: number;
}>;

/** What the generator saw within the measured time, and of the whole run what must not be. */
export type Outcome = Readonly<{
  acknowledged: number;
  /** To devices other than the sender's. */
  delivered: number;
  /** From the moment when a message was to be sent, whenever that was possible. */
  ackMs: readonly number[];
  deliveredMs: readonly number[];
  lost: number;
  duplicated: number;
  misordered: number;
  /** Commands refused for good. */
  refused: number;
  /** Commands sent again because the server asked for it. */
  retried: number;
  /** Times a device was told that it had fallen behind, and resumed. */
  behind: number;
  /** Connections that the server closed. */
  closed: number;
}>;

/** How devices came back after all their connections were lost. */
export type Back = Readonly<{
  /** From the loss of the last connection until a device had everything and was live. */
  caughtUpMs: readonly number[];
  /** Messages that they were shown, and connections that it took beyond one each. */
  facts: number;
  again: number;
}>;

/** What the generator tells while it works. */
export type Report =
  | Readonly<{ kind: 'connected' | 'began' | 'ended' }>
  | Readonly<{ kind: 'outcome'; outcome: Outcome }>
  | Readonly<{ kind: 'back'; back: Back }>;

/** What the generator is told to do. */
export type Order = Readonly<
  { kind: 'connect'; load: Load } | { kind: 'talk' } | { kind: 'come-back'; spreadS: number }
>;
