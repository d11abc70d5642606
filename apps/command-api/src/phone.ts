import { parsePhoneNumberFromString } from 'libphonenumber-js';
import { reject } from '#domain';

/** Characters of a number as people write it, with room for spaces and brackets. */
const CHARS_MAX = 40;

/** The number in E.164, made once, here. Throws `invalid` for what cannot be dialled. */
export const phoneOf = (written: string): string => {
  const read =
    written.length <= CHARS_MAX
      ? parsePhoneNumberFromString(written.normalize('NFKC'), { extract: false })
      : undefined;
  return read && read.isPossible() && read.ext === undefined
    ? read.number
    : reject('invalid', 'Write the phone number with its country, such as +49 30 1234567.');
};

/** Digits after the country's code that, with it, make the range a number is of. */
const RANGE_DIGITS = 3;

/** The range a number is of: its country and the next digits, as operators sell them. */
export const rangeOf = (phone: string): string => {
  const country = parsePhoneNumberFromString(phone)?.countryCallingCode ?? '';
  return phone.slice(0, 1 + country.length + RANGE_DIGITS);
};
