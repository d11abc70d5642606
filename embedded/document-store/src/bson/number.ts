import { Decimal128, Double, Int32, Long } from 'bson';
import { Raw, TYPE } from './raw.js';

/** True for the four numeric types. */
export function isNumber(value: Raw): boolean {
  const { type } = value;
  return (
    type === TYPE.int32 || type === TYPE.double || type === TYPE.int64 || type === TYPE.decimal
  );
}

/** The number nearest to a numeric value, or undefined for another type. */
export function numberOf(value: Raw | undefined): number | undefined {
  if (value === undefined) return undefined;
  const { buf, start } = value;
  switch (value.type) {
    case TYPE.int32:
      return buf.readInt32LE(start);
    case TYPE.double:
      return buf.readDoubleLE(start);
    case TYPE.int64:
      return Number(buf.readBigInt64LE(start));
    case TYPE.decimal:
      return Number(decimalText(value));
    default:
      return undefined;
  }
}

/** A Decimal128 as it is written. */
export function decimalText(value: Raw): string {
  return new Decimal128(Uint8Array.from(value.bytes())).toString();
}

/** The integer of an int32 or int64, undefined for another type. */
export function integerOf(value: Raw): bigint | undefined {
  if (value.type === TYPE.int32) return BigInt(value.buf.readInt32LE(value.start));
  if (value.type === TYPE.int64) return value.buf.readBigInt64LE(value.start);
  return undefined;
}

/** True for what MongoDB takes as true: any number but 0, true, and what is not a number. */
export function truthOf(value: Raw | undefined): boolean {
  if (value === undefined) return false;
  if (value.type === TYPE.bool) return value.buf[value.start] === 1;
  if (value.type === TYPE.null || value.type === TYPE.undefined) return false;
  return numberOf(value) !== 0;
}

/** The bson library's own number types, for replies that must keep them apart. */
export const numbers = { Double, Int32, Long };
