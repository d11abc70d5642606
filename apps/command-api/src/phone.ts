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
