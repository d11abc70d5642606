import { ElementCursor, NULL_VALUE, Raw, TYPE } from '../bson/raw.js';
import { BsonWriter } from '../bson/write.js';
import { CommandError } from '../errors.js';

/** A value in a document being changed: bytes as they were, or a container that was opened. */
export type Slot = Raw | Container;

/** Arrays are not padded further than this by setting a far place (MongoDB: kMaxPaddingAllowed). */
const PADDING_MAX = 1_500_000;

/** A document or array that is being changed; what is not touched stays bytes. */
export class Container {
  readonly names: string[] = [];
  readonly slots: Slot[] = [];

  constructor(readonly isArray: boolean) {}

  static from(value: Raw): Container {
    const container = new Container(value.type === TYPE.array);
    const cursor = new ElementCursor(value.buf, value.start);
    while (cursor.next()) {
      if (!container.isArray) container.names.push(cursor.name());
      container.slots.push(cursor.value());
    }
    return container;
  }

  get(name: string): Slot | undefined {
    const at = this.indexOf(name);
    return at < 0 ? undefined : this.slots[at];
  }

  /** The container under a name, opened for change; undefined if it is a plain value or absent. */
  open(name: string): Container | undefined {
    const at = this.indexOf(name);
    const slot = at < 0 ? undefined : this.slots[at];
    if (slot === undefined || slot instanceof Container) return slot;
    if (!slot.isContainer()) return undefined;
    const opened = Container.from(slot);
    this.slots[at] = opened;
    return opened;
  }

  set(name: string, slot: Slot): void {
    const at = this.indexOf(name);
    if (at >= 0 && at < this.slots.length) {
      this.slots[at] = slot;
      return;
    }
    if (!this.isArray) {
      this.names.push(name);
      this.slots.push(slot);
      return;
    }
    if (at < 0) throw new CommandError(28, `Cannot create field '${name}' in an array`);
    if (at - this.slots.length > PADDING_MAX) {
      throw new CommandError(28, `Cannot pad an array up to element ${name}`);
    }
    while (this.slots.length < at) this.slots.push(NULL_VALUE);
    this.slots.push(slot);
  }

  delete(name: string): void {
    const at = this.indexOf(name);
    if (at < 0 || at >= this.slots.length) return;
    if (this.isArray) {
      this.slots[at] = NULL_VALUE;
      return;
    }
    this.names.splice(at, 1);
    this.slots.splice(at, 1);
  }

  write(writer: BsonWriter): void {
    const start = writer.open();
    for (let at = 0; at < this.slots.length; at++) {
      const slot = this.slots[at];
      const name = this.isArray ? String(at) : (this.names[at] ?? '');
      if (slot instanceof Container) {
        writer.head(slot.isArray ? TYPE.array : TYPE.object, name);
        slot.write(writer);
      } else if (slot !== undefined) {
        writer.element(name, slot);
      }
    }
    writer.close(start);
  }

  private indexOf(name: string): number {
    if (!this.isArray) return this.names.indexOf(name);
    return /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : -1;
  }
}

/** Where a dotted path leads: the container that holds, or would hold, its last name. */
export interface Place {
  readonly container: Container;
  readonly name: string;
}

/**
 * Follows a path; what is missing on the way is made when `creates`, else undefined is answered.
 */
export function placeOf(root: Container, path: string, creates: boolean): Place | undefined {
  if (!path.includes('.')) return { container: root, name: path };
  const parts = path.split('.');
  const name = parts.pop() ?? '';
  let at = root;
  for (const part of parts) {
    const next = at.open(part);
    if (next !== undefined) {
      at = next;
      continue;
    }
    if (!creates) return undefined;
    if (at.get(part) !== undefined) {
      throw new CommandError(28, `Cannot create field '${name}' in element {${part}: …}`);
    }
    const made = new Container(false);
    at.set(part, made);
    at = made;
  }
  return { container: at, name };
}

const writer = new BsonWriter();

/** A slot as a value: a container that was opened is written anew. */
export function rawOf(slot: Slot): Raw {
  if (!(slot instanceof Container)) return slot;
  writer.at = 0;
  slot.write(writer);
  const bytes = writer.take();
  return new Raw(slot.isArray ? TYPE.array : TYPE.object, bytes, 0, bytes.length);
}

/** A whole document as bytes. */
export function bytesOf(root: Container): Buffer {
  writer.at = 0;
  root.write(writer);
  return writer.take();
}
