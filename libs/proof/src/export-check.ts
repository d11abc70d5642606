import type { KeyObject } from 'node:crypto';
import { EXPORT_FORMAT, headLine, lineOf } from './export-lines.js';
import { isHead, isSignedBy, type SignedHead } from './heads.js';
import { entryOf, leafOfEntry, type ProvenEvent } from './leaves.js';
import { GrowingTree } from './merkle.js';
import { StreamOrder } from './stream-order.js';

/** Problems that are told one by one; of others only the number. */
const PROBLEMS_MAX = 1_000;

/**
 * Something that is not as it was signed. `index` is the leaf's place in the log; of a range whose
 * events cannot be told apart, the first, and `to` the last.
 */
export type Problem = Readonly<{
  what: string;
  index: number;
  to?: number;
  stream?: string;
  revision?: number;
}>;

/** What a check found; `problems` is empty where all is as it was signed. */
export type Checked = Readonly<{
  events: number;
  /** Heads that were met and are right, those published outside among them. */
  heads: number;
  /** Leaves up to here are covered by a signed head; those after are not proven yet. */
  proven: number;
  problems: readonly Problem[];
  /** Problems beside those told. */
  more: number;
  /** The stream's chain after its last event, where one was asked for. */
  chain?: string;
}>;

/** What a check goes by. */
export type CheckOptions = Readonly<{
  /** The public key that heads are signed with. */
  key: KeyObject;
  /** Heads known from elsewhere: all of them must be met. */
  published?: readonly SignedHead[];
  /** A stream whose chain is wanted. */
  chainOf?: string;
  /** False: only the tree is checked, in a memory that does not grow. */
  streams?: false;
}>;

/** Takes the leaves of a log in their order and compares them with signed heads. */
export class LeafCheck {
  readonly #tree = new GrowingTree();
  readonly #order: StreamOrder | undefined;
  #last: SignedHead | undefined;
  readonly #published = new Map<number, SignedHead>();
  readonly #problems: Problem[] = [];
  readonly #key: KeyObject;
  #more = 0;
  #heads = 0;
  #proven = 0;
  /** The position of the last of them, as it was signed. */
  #provenTo = -1;
  /** A published head for this place, unless a head that stands here says otherwise. */
  #due: SignedHead | undefined;
  /** A root that was wrong makes all later ones wrong. */
  #isLost = false;

  constructor({ key, published = [], chainOf, streams }: CheckOptions) {
    this.#key = key;
    this.#order = streams === false ? undefined : new StreamOrder(chainOf);
    for (const head of published) {
      const other = this.#published.get(head.size);
      if (!isSignedBy(head, key)) this.tell({ what: unsigned(head), index: head.size - 1 });
      else if (other && other.root !== head.root) this.tell(forked(head));
      else this.#published.set(head.size, head);
    }
  }

  /** Leaves so far. */
  get size(): number {
    return this.#tree.size;
  }

  /** What is wrong so far. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Takes the next event. */
  event(event: ProvenEvent, leaf: Buffer): void {
    this.#settle();
    const { stream, revision } = event;
    const wrong = this.#order?.take(event, leaf);
    if (wrong !== undefined) this.tell({ what: wrong, index: this.size, stream, revision });
    this.#tree.append(leaf);
    this.#due = this.#published.get(this.size);
  }

  /** Takes a head that stands here. */
  head(head: SignedHead): void {
    const { size } = head;
    if (!isSignedBy(head, this.#key)) return this.tell({ what: unsigned(head), index: size - 1 });
    const other = this.#last?.size === size ? this.#last : this.#published.get(size);
    if (other && other.root !== head.root) this.tell(forked(head));
    this.#last = head;
    if (size !== this.size) {
      const what = `The head over ${size} leaves stands after ${this.size}.`;
      return this.tell({ what, index: Math.min(size, this.size) });
    }
    this.#due = undefined;
    return this.#compare(head);
  }

  tell(problem: Problem): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem);
    else this.#more += 1;
  }

  /** What was found, once all was taken. */
  end(): Checked {
    this.#settle();
    for (const { size, at } of this.#published.values())
      if (size > this.size)
        this.tell({
          what: `Leaves ${this.size} to ${size - 1} are missing, which were signed at ${at}.`,
          index: this.size,
          to: size - 1,
        });
    const chain = this.#order?.chain;
    return {
      events: this.size,
      heads: this.#heads,
      proven: this.#proven,
      problems: this.#problems,
      more: this.#more,
      ...(chain === undefined ? {} : { chain }),
    };
  }

  #settle(): void {
    if (this.#due) this.#compare(this.#due);
    this.#due = undefined;
  }

  #compare({ size, root, at, position }: SignedHead): void {
    if (this.#isLost) return;
    if (this.#tree.root().toString('hex') === root) {
      this.#heads += 1;
      this.#proven = size;
      this.#provenTo = position;
      return;
    }
    this.#isLost = true;
    const what =
      `Leaves ${this.#proven} to ${size - 1} (after position ${this.#provenTo}, up to ${position}) ` +
      `are not those that were signed at ${at}: one was altered, left out, put in or moved.`;
    this.tell({ what, index: this.#proven, to: size - 1 });
  }
}

const unsigned = ({ size, key }: SignedHead): string =>
  `The head over ${size} leaves is not signed by the key; it says it was by ${key}.`;

const forked = ({ size }: SignedHead): Problem => ({
  what: `Two signed heads over ${size} leaves have different roots: the log was forked.`,
  index: size - 1,
});

type Line = Readonly<{ event?: unknown; index?: unknown; head?: unknown; end?: unknown }>;

const parsed = (line: string): Line & Readonly<{ format?: unknown }> => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    // Told by whoever asked: no line of the format.
    return {};
  }
};

const isEvent = (value: unknown): value is ProvenEvent => {
  if (typeof value !== 'object' || value === null) return false;
  const event: Readonly<Record<string, unknown>> = { ...value };
  return (
    ['type', 'id', 'stream'].every((name) => typeof event[name] === 'string') &&
    Number.isSafeInteger(event['revision']) &&
    typeof event['data'] === 'object' &&
    event['data'] !== null
  );
};

/** Checks an export line by line, in a memory that grows with the number of streams only. */
export class ExportCheck {
  readonly #leaves: LeafCheck;
  #lines = 0;
  #next = 0;
  #heads = 0;
  #isOver = false;

  constructor(options: CheckOptions) {
    this.#leaves = new LeafCheck(options);
  }

  /** Events so far. */
  get events(): number {
    return this.#leaves.size;
  }

  /** Takes the next line, without its line feed. */
  line(line: string): void {
    this.#lines += 1;
    const { event, index, head, end, format } = parsed(line);
    if (this.#lines === 1) {
      if (format !== EXPORT_FORMAT) this.#tell(`The first line does not say ${EXPORT_FORMAT}.`);
    } else if (this.#isOver) this.#tell('There are lines after the last.');
    else if (isEvent(event)) this.#event(line, event, Number(index));
    else if (isHead(head)) this.#head(line, head);
    else if (end === undefined) {
      this.#tell('It is no line of the format.');
      // Most likely it was an event.
      this.#next += 1;
    } else this.#end(end);
  }

  /** What was found. */
  end(): Checked {
    if (!this.#isOver) this.#tell('The last line is missing: the file was cut off.');
    return this.#leaves.end();
  }

  #event(line: string, event: ProvenEvent, index: number): void {
    const { stream, revision } = event;
    // Named by where it stands: what it says of itself may be what was altered.
    const place = { index: this.events, stream, revision };
    if (index !== this.#next) {
      const what = `Event ${this.#next} was expected, and ${index} stands there.`;
      this.#leaves.tell({ ...place, what });
    }
    this.#next = (Number.isSafeInteger(index) ? index : this.#next) + 1;
    const entry = entryOf(event);
    const leaf = leafOfEntry(entry);
    if (lineOf(entry, index, leaf.toString('hex')) !== line)
      this.#leaves.tell({ ...place, what: 'The event is not the one that its leaf was made of.' });
    this.#leaves.event(event, leaf);
  }

  #head(line: string, head: SignedHead): void {
    this.#heads += 1;
    if (headLine(head) !== line) this.#tell('The head is not written in canonical form.');
    this.#leaves.head(head);
  }

  #end(end: unknown): void {
    this.#isOver = true;
    const expected = `{"events":${this.events},"heads":${this.#heads}}`;
    if (JSON.stringify(end) !== expected)
      this.#tell(`The last line says ${JSON.stringify(end)}, and there are ${expected}.`);
  }

  #tell(what: string): void {
    this.#leaves.tell({ what: `Line ${this.#lines}: ${what}`, index: this.events });
  }
}
