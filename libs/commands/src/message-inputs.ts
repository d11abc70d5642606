import canonicalize from 'canonicalize';
import { z } from 'zod';
import { MESSAGE_KINDS, reject, type MessageBody, type MessageKind } from '#domain';
import { id, NAME_CHARS_MAX, said, VISIBLE, wellFormed } from './inputs.js';

/** Entities of one message: a text full of links, still small beside the text itself. */
export const ENTITIES_MAX = 100;
/** Fields of a message's metadata, and the characters of a text among them. */
export const METADATA_FIELDS_MAX = 16;
const METADATA_CHARS_MAX = 256;
/** Bytes of a file that a message may refer to: 2 GiB, as the media store takes them. */
const FILE_BYTES_MAX = 2 ** 31;
/** The longest recording: a day. */
const DURATION_MS_MAX = 86_400_000;
/** Steps of a voice note's wave form: one for each pixel of a narrow phone. */
const WAVE_STEPS_MAX = 128;
/** Characters of a link, as browsers take them. */
const LINK_CHARS_MAX = 2_048;

const place = { offset: z.int().min(0), length: z.int().min(1) };
const link = z
  .url({ protocol: /^(?:https?|mailto)$/, error: 'Must be a link of http, https or mailto.' })
  .max(LINK_CHARS_MAX);
const entity = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('mention'), ...place, userId: id }),
  z.strictObject({ type: z.literal('all'), ...place }),
  z.strictObject({ type: z.literal('code'), ...place, language: z.string().max(32).optional() }),
  z.strictObject({ type: z.literal('link'), ...place, url: link }),
]);
const media = z.strictObject({
  ref: z.string().regex(/^[\w./:@-]{1,256}$/, { error: 'Must be the reference of a file.' }),
  mime: z.string().regex(/^[\w.+-]{1,64}\/[\w.+-]{1,64}$/, { error: 'Must be a media type.' }),
  bytes: z.int().min(1).max(FILE_BYTES_MAX),
  name: wellFormed.max(256).optional(),
  width: z.int().min(1).max(65_535).optional(),
  height: z.int().min(1).max(65_535).optional(),
  durationMs: z.int().min(1).max(DURATION_MS_MAX).optional(),
  wave: z.array(z.int().min(0).max(255)).max(WAVE_STEPS_MAX).optional(),
});
const location = z.strictObject({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  accuracyM: z.number().min(0).max(100_000).optional(),
  name: wellFormed.max(NAME_CHARS_MAX).optional(),
  /** Of a live location: when it ends. */
  until: z.iso.datetime().optional(),
});
const contact = z.strictObject({
  name: wellFormed.min(1).max(NAME_CHARS_MAX),
  phones: z
    .array(z.string().regex(/^\+[1-9]\d{6,14}$/, { error: 'Must be a number like +4930123456.' }))
    .max(8),
  userId: id.optional(),
});
const metadata = z
  .record(
    z
      .string()
      .regex(/^[a-z][\w-]{0,31}$/i, { error: 'Begins with a letter, then letters, digits.' }),
    z.union([wellFormed.max(METADATA_CHARS_MAX), z.number(), z.boolean()]),
  )
  .refine((given) => Object.keys(given).length <= METADATA_FIELDS_MAX, {
    error: `Metadata has at most ${METADATA_FIELDS_MAX} fields.`,
  });

/** The parts of a message, each for itself; `mustFit` says how they go together. */
export const messageParts = z.strictObject({
  text: said.optional(),
  kind: z.enum(MESSAGE_KINDS).optional(),
  entities: z.array(entity).max(ENTITIES_MAX).optional(),
  media: media.optional(),
  location: location.optional(),
  contact: contact.optional(),
  metadata: metadata.optional(),
});
/** A message's parts, as they came. */
export type MessageParts = z.infer<typeof messageParts>;

/** What each kind is made of, beside a text that is then a caption. */
const PART_OF = {
  text: undefined,
  image: 'media',
  video: 'media',
  audio: 'media',
  voice: 'media',
  document: 'media',
  location: 'location',
  live_location: 'location',
  contact: 'contact',
} as const satisfies Record<(typeof MESSAGE_KINDS)[number], string | undefined>;
const PARTS = ['media', 'location', 'contact'] as const;

/** Half of a surrogate pair at a place would be cut from its other half. */
const cuts = (text: string, at: number): boolean =>
  /[\uDC00-\uDFFF]/.test(text.charAt(at)) && /[\uD800-\uDBFF]/.test(text.charAt(at - 1));

const wrongEntity = ({ text = '', entities = [] }: MessageParts): string | undefined => {
  let end = 0;
  for (const { offset, length } of entities) {
    if (offset < end) return 'Entities come in order and do not overlap.';
    end = offset + length;
    if (end > text.length) return 'An entity lies within the text.';
    if (cuts(text, offset) || cuts(text, end)) return 'An entity does not cut a character in two.';
  }
  return undefined;
};

const wrongPart = (parts: MessageParts): string | undefined => {
  const { text = '', kind = 'text', location: at } = parts;
  const own = PART_OF[kind];
  const odd = PARTS.find((part) => (parts[part] !== undefined) !== (part === own));
  if (odd !== undefined)
    return `A message of kind ${kind} ${odd === own ? 'needs' : 'cannot have'} ${odd}.`;
  if (kind === 'text' && !VISIBLE.test(text)) return 'A message says something; this one is blank.';
  if (at && (kind === 'live_location') !== (at.until !== undefined))
    return 'A live location, and only that, says until when.';
  return undefined;
};

/** Refuses (`invalid`) parts that do not go together. */
export const mustFit = (parts: MessageParts, context: z.RefinementCtx): void => {
  const message = wrongPart(parts) ?? wrongEntity(parts);
  if (message === undefined) return;
  const input = undefined;
  if (parts.text === undefined && (parts.kind ?? 'text') === 'text') {
    context.addIssue({ code: 'custom', path: ['text'], message: 'Says something.', input });
    return;
  }
  context.addIssue({ code: 'custom', message, params: { code: 'invalid' }, input });
};

/** Refuses (`invalid`) an edit that does not go together: a text, or what a place or file is now. */
export const mustFitEdit = (parts: Omit<MessageParts, 'kind'>, context: z.RefinementCtx): void => {
  const own = PARTS.find((part) => parts[part] !== undefined);
  const kinds = MESSAGE_KINDS.filter((kind) => PART_OF[kind] === own);
  if (kinds.every((kind) => wrongPart({ ...parts, kind }) !== undefined)) {
    mustFit({ ...parts, kind: kinds[0] }, context);
    return;
  }
  mustFit(
    { ...parts, kind: kinds.find((kind) => wrongPart({ ...parts, kind }) === undefined) },
    context,
  );
};

/** Refuses (`invalid`) an edit that would make another kind of a message. */
export const mustFitKind = (parts: Omit<MessageParts, 'kind'>, kind: MessageKind): void => {
  const wrong = wrongPart({ ...parts, kind });
  if (wrong !== undefined) reject('invalid', wrong);
};

/** What the log keeps of a message's parts. */
export const bodyOf = (parts: MessageParts): MessageBody => {
  const { text = '', kind, entities = [], ...others } = parts;
  const { media: file, location: at, contact: person, metadata: fields } = others;
  const mentions = entities.flatMap((one) => (one.type === 'mention' ? [one.userId] : []));
  const content = {
    ...(entities.length > 0 ? { entities } : {}),
    ...(file ? { media: file } : {}),
    ...(at ? { location: at } : {}),
    ...(person ? { contact: person } : {}),
    ...(fields ? { metadata: fields } : {}),
  };
  return {
    text,
    kind,
    mentions: [...new Set(mentions)],
    notify: entities.some(({ type }) => type === 'all') ? 'all' : undefined,
    content: Object.keys(content).length > 0 ? canonicalize(content) : undefined,
  };
};
