import { type Document, Long } from 'bson';
import { numberOf, truthOf } from '../bson/number.js';
import { type Raw, TYPE, elementsOf, textOf } from '../bson/raw.js';
import { CommandError } from '../errors.js';
import type { Collection } from '../storage/catalog.js';
import type { Store } from '../storage/store.js';
import type { Cursors } from './cursors.js';

/** A reply: fields to be encoded, or a whole document that is already BSON. */
export type Reply = Document | Buffer;

/** What every command works with. */
export interface Server {
  readonly store: Store;
  readonly cursors: Cursors;
}

/** When a command must have ended; looked at from time to time by what may take long. */
export class Deadline {
  private readonly end: number;
  private count = 0;

  constructor(maxTimeMs: number | undefined) {
    this.end = maxTimeMs === undefined || maxTimeMs === 0 ? Infinity : Date.now() + maxTimeMs;
  }

  /** Refuses to go on when the time is over (code 50). */
  check(): void {
    if (this.end === Infinity || (this.count++ & CHECK_EVERY) !== 0) return;
    if (Date.now() < this.end) return;
    throw new CommandError(50, 'operation exceeded time limit');
  }
}

/** The clock is read at one in 32 checks. */
const CHECK_EVERY = 31;

/** One command being answered: its fields, and typed access to them. */
export class Context {
  readonly deadline: Deadline;

  constructor(
    readonly server: Server,
    readonly name: string,
    readonly fields: ReadonlyMap<string, Raw>,
    private readonly sequences: ReadonlyMap<string, readonly Raw[]>,
  ) {
    this.deadline = new Deadline(this.number('maxTimeMS'));
  }

  get store(): Store {
    return this.server.store;
  }

  get database(): string {
    return this.text('$db');
  }

  /** The collection's full name; a command about no collection has one made of its own name. */
  get namespace(): string {
    const isText = this.fields.get(this.name)?.type === TYPE.string;
    return `${this.database}.${isText ? this.text(this.name) : `$cmd.${this.name}`}`;
  }

  get collection(): Collection | undefined {
    return this.store.find(this.namespace);
  }

  raw(field: string): Raw | undefined {
    const value = this.fields.get(field);
    return value?.type === TYPE.null ? undefined : value;
  }

  text(field: string): string {
    const value = this.fields.get(field);
    if (value?.type === TYPE.string) return textOf(value);
    throw new CommandError(14, `BSON field '${this.name}.${field}' must be a string`);
  }

  number(field: string): number | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    const number = numberOf(value);
    if (number === undefined || !Number.isFinite(number) || number < 0) {
      throw new CommandError(2, `BSON field '${field}' must be a number of 0 or more`);
    }
    return Math.trunc(number);
  }

  flag(field: string, otherwise = false): boolean {
    const value = this.raw(field);
    return value === undefined ? otherwise : truthOf(value);
  }

  document(field: string): Raw | undefined {
    const value = this.raw(field);
    if (value !== undefined && value.type !== TYPE.object) {
      throw new CommandError(14, `BSON field '${this.name}.${field}' must be an object`);
    }
    return value;
  }

  /** An array of documents: sent beside the command or within it. */
  list(field: string): readonly Raw[] {
    const beside = this.sequences.get(field);
    if (beside !== undefined) return beside;
    const value = this.raw(field);
    if (value?.type === TYPE.array) return elementsOf(value);
    throw new CommandError(40414, `BSON field '${this.name}.${field}' is missing but required`);
  }
}

/** A cursor's number as the protocol has it. */
export function cursorNumber(id: bigint): Long {
  return Long.fromBigInt(id);
}
