import { between, type Draw } from './chance.js';
import { Actor, type Course } from './time.js';

/** One way over the network (ms), from and to: most are quick, some are not. */
const LATENCY_MS = [1, 6] as const;
const LATE_MS = [6, 60] as const;
const LATE_PERCENT = 8;
/** How long a caller waits until it finds out that nobody answers (ms). */
const UNANSWERED_MS = [20, 1_500] as const;

/** What nodes ask over the network: the log, the read models. */
export type Service = Readonly<{
  name: string;
  isUp: () => boolean;
  /** What a caller gets when it cannot be reached, or did not answer. */
  gone: (message: string) => Error;
}>;

/** Who carries what is on its way. */
export const NETWORK = new Actor('network');

const keyOf = (one: string, other: string): string =>
  one < other ? `${one} ${other}` : `${other} ${one}`;

/** Who can reach whom, and how long it takes. */
export class Network {
  readonly #cut = new Set<string>();

  constructor(
    readonly course: Course,
    private readonly draw: Draw,
  ) {}

  latency(): number {
    const [from, to] = this.draw(100) < LATE_PERCENT ? LATE_MS : LATENCY_MS;
    return between(this.draw, from * 1_000, to * 1_000) / 1_000;
  }

  /** Nothing passes between two any more; or again. */
  cut(one: string, other: string, isCut: boolean): void {
    if (isCut) this.#cut.add(keyOf(one, other));
    else this.#cut.delete(keyOf(one, other));
  }

  isCut(one: string, other: string): boolean {
    return this.#cut.size > 0 && this.#cut.has(keyOf(one, other));
  }

  healAll(): void {
    this.#cut.clear();
  }

  /** Asks a service: a way there and a way back, either of which may lose it. */
  call<T>(actor: Actor, service: Service, work: () => T | Promise<T>): Promise<T> {
    const { course } = this;
    const isAway = () => !service.isUp() || this.isCut(actor.name, service.name);
    return new Promise((resolve, reject) => {
      const fail = (message: string) => {
        const waitMs = between(this.draw, ...UNANSWERED_MS);
        course.plan(waitMs, actor, `no ${service.name}`, () => reject(service.gone(message)));
      };
      const back = (settle: () => void) => {
        course.plan(this.latency(), actor, `from ${service.name}`, () => {
          if (isAway()) fail(`${service.name} did not answer.`);
          else settle();
        });
      };
      const failed = (error: unknown) => {
        const known = error instanceof Error ? error : new Error('It failed.', { cause: error });
        back(() => reject(known));
      };
      const there = () => {
        if (isAway()) fail(`${service.name} cannot be reached.`);
        else
          Promise.resolve()
            .then(work)
            .then((result) => back(() => resolve(result)), failed);
      };
      // What has left goes on its way, though its sender dies.
      if (actor.isAlive) course.plan(this.latency(), NETWORK, `to ${service.name}`, there);
    });
  }
}
