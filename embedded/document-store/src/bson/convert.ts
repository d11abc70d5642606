import { deserialize, serialize, type Document } from 'bson';
import { buildDocument } from './write.js';
import { Raw, TYPE, fieldOf } from './raw.js';

/** A document as plain JavaScript, for mingo and for small command bodies. */
export function toObject(value: Raw): Document {
  return deserialize(value.bytes(), { promoteBuffers: false });
}

const FIELD = Buffer.from('v');

/** One value as plain JavaScript. */
export function toValue(value: Raw | undefined): unknown {
  if (value === undefined) return undefined;
  const holder = buildDocument([['v', value]]);
  return toObject(new Raw(TYPE.object, holder, 0, holder.length))['v'] as unknown;
}

/** One JavaScript value as BSON; undefined is null. */
export function fromValue(value: unknown): Raw {
  const bytes = toBytes({ v: value ?? null });
  const found = fieldOf(new Raw(TYPE.object, bytes, 0, bytes.length), FIELD);
  if (found === undefined) throw new TypeError('a value that BSON does not hold');
  return found;
}

/** A JavaScript object as BSON bytes. */
export function toBytes(object: Document): Buffer {
  const bytes = serialize(object);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
