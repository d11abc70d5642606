import { expect } from 'vitest';
import { Rejection, type Command, type Decider, type Event, type RejectionCode } from '#domain';

/** The outcome of a command, to be held against what was expected. */
export type When<E extends Event> = Readonly<{
  /** The command was accepted and caused exactly these; none where it changes nothing. */
  appends: (...events: readonly E[]) => void;
  /** The command was refused for this reason. */
  rejects: (code: RejectionCode) => void;
}>;

/** The state after the facts of a stream, first to last. */
export const after = <State, C extends Command, E extends Event>(
  { initial, evolve }: Decider<State, C, E>,
  ...past: readonly E[]
): State => past.reduce((state, event, revision) => evolve(state, event, revision), initial());

/**
 * A decider's test in its own words: `given(decider)(...past).when(command).appends(...events)`.
 */
export const given =
  <State, C extends Command, E extends Event>(decider: Decider<State, C, E>) =>
  (...past: readonly E[]): Readonly<{ when: (command: C) => When<E> }> => ({
    when: (command) => {
      const decide = (): readonly E[] => decider.decide(command, after(decider, ...past));
      return {
        appends: (...events) => expect(decide()).toEqual(events),
        rejects: (code) => {
          try {
            const events = decide();
            expect.fail(`Accepted with ${JSON.stringify(events)} instead of refused: ${code}.`);
          } catch (error) {
            if (!(error instanceof Rejection)) throw error;
            expect(error.code).toBe(code);
          }
        },
      };
    },
  });
