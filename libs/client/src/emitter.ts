/** Events by name, each with what its listeners are given. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(argument: never) => void>>();

  /** Listens. Gives the way to stop. */
  on<Name extends keyof Events>(name: Name, listen: (argument: Events[Name]) => void): () => void {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listen);
    return () => listeners.delete(listen);
  }

  /** Tells everyone who listens; one who throws keeps nobody from hearing. */
  emit<Name extends keyof Events>(name: Name, argument: Events[Name]): void {
    for (const listen of this.#listeners.get(name) ?? []) {
      try {
        // Only listeners of this event's argument were put under its name.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        (listen as (argument: Events[Name]) => void)(argument);
      } catch (error) {
        reportError(error);
      }
    }
  }
}

/** An application's own mistake is shown where it can see it, and stops nothing here. */
const reportError = (error: unknown): void => {
  queueMicrotask(() => {
    throw error;
  });
};
