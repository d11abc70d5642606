import { z } from 'zod';
import { VISIBILITIES } from '#domain';

/** Bytes of one message's text in UTF-8 (abuse 13): an event stays well under the log's 1 MiB. */
export const TEXT_BYTES_MAX = 65_536;
/** Characters of a person's, group's or device's name: two lines in a list. */
export const NAME_CHARS_MAX = 100;
/** Members that one request names at most when it starts a conversation. */
export const START_MEMBERS_MAX = 1_000;
/** Members that one request adds at most: one event's worth. */
export const ADD_MEMBERS_MAX = 200;

/** Something that has a glyph: neither white space nor a character that shows nothing. */
export const VISIBLE = /[^\s\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\u2800\u3164\ufeff]/u;
/** Controls, and characters that reorder or hide others: they have no place in a name. */
const DECEIVING = /[\p{Cc}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu;

/** Text that can be stored and shown. */
export const wellFormed = z.string().refine((text) => text.isWellFormed() && !text.includes('\0'), {
  error: 'Must be well-formed Unicode without NUL.',
  abort: true,
});

/** Any UUID, in lower case from here on: two spellings of one id are one id. */
export const id = z.guid({ error: 'Must be a UUID.' }).toLowerCase();

const fits = (text: string): boolean => Buffer.byteLength(text) <= TEXT_BYTES_MAX;

/** What a person says; kept as sent. Long text is `too_large`. */
export const said = wellFormed.refine((text) => text.length * 3 <= TEXT_BYTES_MAX || fits(text), {
  error: `A message has at most ${TEXT_BYTES_MAX} bytes in UTF-8.`,
  params: { code: 'too_large' },
});

/** A name to show: characters that deceive the reader are taken out, and something must be left. */
export const name = wellFormed
  .overwrite((given) => given.replace(DECEIVING, '').trim())
  .refine((shown) => VISIBLE.test(shown), {
    error: 'A name has at least one visible character.',
    params: { code: 'invalid' },
    abort: true,
  })
  .refine((shown) => shown.length <= NAME_CHARS_MAX, {
    error: `A name has at most ${NAME_CHARS_MAX} characters.`,
    params: { code: 'invalid' },
  });

/** A handle others find a person by; upper and lower case are the same. */
export const username = z
  .string()
  .toLowerCase()
  .regex(/^[a-z][a-z0-9_.]{2,29}$/, {
    error: 'Has 3 to 30 letters, digits, dots and underscores, and begins with a letter.',
  });

/** People, each once or more often. */
export const people = (max: number) => z.array(id).min(1).max(max);

/** The longest emoji of Unicode's set is a family of four with their skins: 11 UTF-16 units. */
const EMOJI_UNITS_MAX = 32;
/** Asks for the picture of a character that also has a plain form; some keyboards leave it out. */
const AS_PICTURE = '\ufe0f';
const EMOJI = /^\p{RGI_Emoji}$/v;

/** One emoji of those that Unicode recommends for general interchange (UTS 51). */
export const emoji = z
  .string()
  .overwrite((given) =>
    given.length < EMOJI_UNITS_MAX && EMOJI.test(given + AS_PICTURE) ? given + AS_PICTURE : given,
  )
  .refine((given) => given.length <= EMOJI_UNITS_MAX && EMOJI.test(given), {
    error: 'A reaction is one emoji.',
    params: { code: 'invalid' },
  });

/** A place in a conversation. */
export const seq = z.int().min(0);

/** Characters of what a person says about themselves. */
export const ABOUT_CHARS_MAX = 500;
/** Characters of the reference to a picture. */
export const AVATAR_CHARS_MAX = 256;
/** Settings that one change carries, and the characters of one that is a text. */
const PREFERENCES_MAX = 64;
const PREFERENCE_CHARS_MAX = 512;

/** What is given of a profile; an empty text takes it away. */
export const profile = z
  .strictObject({
    about: wellFormed.max(ABOUT_CHARS_MAX).optional(),
    avatar: z
      .string()
      .regex(/^[\w./:@-]*$/, { error: 'Must be the reference of a picture.' })
      .max(AVATAR_CHARS_MAX)
      .optional(),
  })
  .refine((given) => Object.keys(given).length > 0, { error: 'Name what is to change.' });

const visibility = z.enum(VISIBILITIES).optional();

/** What is given of who may see and do what. */
export const privacy = z
  .strictObject({
    lastSeen: visibility,
    typing: visibility,
    receipts: visibility,
    about: visibility,
    avatar: visibility,
    adding: visibility,
    writing: visibility,
    login: z.enum(['code', 'approval']).optional(),
  })
  .refine((given) => Object.keys(given).length > 0, { error: 'Name what is to change.' });

/** Settings of apps by dotted names; null takes one away. */
export const preferences = z
  .record(
    z.string().regex(/^[a-z][\w.-]{0,63}$/i, {
      error: 'Begins with a letter, then letters, digits, dots.',
    }),
    z.union([wellFormed.max(PREFERENCE_CHARS_MAX), z.number(), z.boolean(), z.null()]),
  )
  .refine((given) => Object.keys(given).length <= PREFERENCES_MAX, {
    error: `At most ${PREFERENCES_MAX} settings at once.`,
  });

/** Folders that one conversation is in at most, and characters of a folder's name. */
const FOLDERS_MAX = 16;
const FOLDER_CHARS_MAX = 40;
/** Characters of the note on a saved message. */
const NOTE_CHARS_MAX = 1_000;

/** The folders a conversation is in, each once. */
export const folders = z
  .array(name.refine((shown) => shown.length <= FOLDER_CHARS_MAX, { error: 'Too long a name.' }))
  .max(FOLDERS_MAX)
  .overwrite((given) => [...new Set(given)]);

/** What a person notes for themselves. */
export const note = wellFormed.max(NOTE_CHARS_MAX);
