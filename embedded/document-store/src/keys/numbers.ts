import { decimalText, numberOf } from '../bson/number.js';
import { Raw, TYPE } from '../bson/raw.js';

/** Integers up to here are doubles without a remainder. */
const EXACT_MAX = Number.MAX_SAFE_INTEGER;
const FRACTION_BITS = 64n;

/**
 * Writes a number so that bytes compare as numbers do, whatever their types: the greatest double
 * not above it with its sign turned (NaN below all), then 0x00, or 0x01 and 64 bits of what is left
 * in units of that double's last place. Answers where it ended.
 */
export function encodeNumber(value: Raw, target: Buffer, at: number): number {
  const nearest = numberOf(value) ?? Number.NaN;
  const isExact = value.type === TYPE.int32 || value.type === TYPE.double;
  if (isExact || (value.type === TYPE.int64 && Math.abs(nearest) <= EXACT_MAX)) {
    return endExact(writeDouble(nearest, target, at), target);
  }
  if (!Number.isFinite(nearest) && Number.isNaN(nearest)) {
    return endExact(writeDouble(nearest, target, at), target);
  }
  const [floor, fraction] = split(rational(value), nearest);
  const end = writeDouble(floor, target, at);
  if (fraction === 0n) return endExact(end, target);
  target[end] = 1;
  return target.writeBigUInt64BE(fraction, end + 1);
}

function endExact(at: number, target: Buffer): number {
  target[at] = 0;
  return at + 1;
}

function writeDouble(value: number, target: Buffer, at: number): number {
  if (Number.isNaN(value)) return target.writeBigUInt64BE(0n, at);
  const end = target.writeDoubleBE(value === 0 ? 0 : value, at);
  const first = target[at] ?? 0;
  if (first < 0x80) {
    target[at] = first | 0x80;
  } else {
    for (let i = at; i < end; i++) target[i] = ~(target[i] ?? 0) & 0xff;
  }
  return end;
}

/** A number as numerator / denominator, the denominator above 0; infinite: the denominator is 0. */
type Rational = readonly [bigint, bigint];

function rational(value: Raw): Rational {
  if (value.type === TYPE.int64) return [value.buf.readBigInt64LE(value.start), 1n];
  const match = /^(-?)(\d*)\.?(\d*)(?:E([+-]?\d+))?$/i.exec(decimalText(value));
  if (match === null) return [decimalText(value).startsWith('-') ? -1n : 1n, 0n];
  const [, sign, whole = '', part = '', power = '0'] = match;
  const digits = BigInt(whole + part || '0') * (sign === '-' ? -1n : 1n);
  const exponent = BigInt(power) - BigInt(part.length);
  return exponent >= 0n ? [digits * 10n ** exponent, 1n] : [digits, 10n ** -exponent];
}

function split([numerator, denominator]: Rational, nearest: number): [number, bigint] {
  if (denominator === 0n) return [nearest, 0n];
  let floor = Number.isFinite(nearest) ? nearest : Math.sign(nearest) * Number.MAX_VALUE;
  if (isBelow(numerator, denominator, floor)) floor = neighbour(floor, -1);
  const [floorTop, floorBottom] = doubleRational(floor);
  const [ulpTop, ulpBottom] = ulp(floor);
  const restTop = numerator * floorBottom - floorTop * denominator;
  const restBottom = denominator * floorBottom;
  const fraction = ((restTop * ulpBottom) << FRACTION_BITS) / (restBottom * ulpTop);
  const ceiling = (1n << FRACTION_BITS) - 1n;
  return [floor, fraction > ceiling ? ceiling : fraction < 0n ? 0n : fraction];
}

function isBelow(numerator: bigint, denominator: bigint, double: number): boolean {
  const [top, bottom] = doubleRational(double);
  return numerator * bottom < top * denominator;
}

const view = new DataView(new ArrayBuffer(8));

function parts(double: number): { mantissa: bigint; exponent: number } {
  view.setFloat64(0, Math.abs(double));
  const bits = view.getBigUint64(0);
  const stored = Number(bits >> 52n);
  const mantissa = bits & ((1n << 52n) - 1n);
  return stored === 0
    ? { mantissa, exponent: -1074 }
    : { mantissa: mantissa | (1n << 52n), exponent: stored - 1075 };
}

function scaled(mantissa: bigint, exponent: number): Rational {
  return exponent >= 0 ? [mantissa << BigInt(exponent), 1n] : [mantissa, 1n << BigInt(-exponent)];
}

function doubleRational(double: number): Rational {
  const { mantissa, exponent } = parts(double);
  return scaled(double < 0 ? -mantissa : mantissa, exponent);
}

function ulp(double: number): Rational {
  return scaled(1n, parts(double).exponent);
}

function neighbour(double: number, direction: 1 | -1): number {
  view.setFloat64(0, double);
  const bits = view.getBigInt64(0);
  if (double === 0) return direction * Number.MIN_VALUE;
  view.setBigInt64(0, bits + (double > 0 ? BigInt(direction) : BigInt(-direction)));
  return view.getFloat64(0);
}
