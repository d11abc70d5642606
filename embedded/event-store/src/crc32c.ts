/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), reflected polynomial. */
const POLYNOMIAL = 0x82f63b78;

const tableOf = (next: (byte: number) => number): Uint32Array =>
  Uint32Array.from({ length: 256 }, (_, byte) => next(byte));

const shifted = (value: number): number => (value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1);

const at = (table: Uint32Array, byte: number): number => table[byte & 0xff] ?? 0;

/** Eight tables, so that eight bytes are folded in at once (Intel's slicing-by-8). */
const T0 = tableOf((byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = shifted(value);
  return value;
});
const after = (table: Uint32Array): Uint32Array =>
  tableOf((byte) => (at(table, byte) >>> 8) ^ at(T0, at(table, byte)));
const T1 = after(T0);
const T2 = after(T1);
const T3 = after(T2);
const T4 = after(T3);
const T5 = after(T4);
const T6 = after(T5);
const T7 = after(T6);

/** The checksum of a range of bytes, as an unsigned 32-bit number. */
export const crc32c = (bytes: Buffer, from = 0, to = bytes.length): number => {
  let crc = 0xffffffff;
  let offset = from;
  for (; offset + 8 <= to; offset += 8) {
    crc ^= bytes.readUInt32LE(offset);
    const high = bytes.readUInt32LE(offset + 4);
    crc =
      at(T7, crc) ^
      at(T6, crc >>> 8) ^
      at(T5, crc >>> 16) ^
      at(T4, crc >>> 24) ^
      at(T3, high) ^
      at(T2, high >>> 8) ^
      at(T1, high >>> 16) ^
      at(T0, high >>> 24);
  }
  for (; offset < to; offset++) crc = (crc >>> 8) ^ at(T0, crc ^ (bytes[offset] ?? 0));
  return (crc ^ 0xffffffff) >>> 0;
};
