import type { ConversationProof, ProvenEntry } from './conversation-proof.js';

const BEGIN = '<script type="application/json" id="proof">';
const END = '</script>';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? character);

const textIn = (record: object, name: string): string => {
  const value: unknown = Reflect.get(record, name);
  return typeof value === 'string' ? value : '';
};

/** `MessageSent` reads `message sent`. */
const words = (type: string): string => type.replaceAll(/\B[A-Z]/g, ' $&').toLowerCase();

/** Fields that every event has, or that are shown otherwise. */
const FRAME = new Set(['v', 'by', 'at', 'origin', 'conversationId', 'prev', 'sealed', 'messageId']);

const openOf = ({ data }: ProvenEntry['event']): string =>
  Object.entries(data)
    .filter(([name]) => !FRAME.has(name))
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join(', ');

const contentOf = ({ event, opened }: ProvenEntry): string => {
  if (opened) {
    const { salt: _salt, ...texts } = opened;
    return Object.values(texts)
      .map((text) => `<p>${escaped(text)}</p>`)
      .join('');
  }
  const { sealed } = event.data;
  if (typeof sealed !== 'object' || sealed === null) return '';
  return `<p class="gone">content not shown; commitment <code>${escaped(textIn(sealed, 'commit'))}</code></p>`;
};

const rowOf = (entry: ProvenEntry): string => {
  const { event, index } = entry;
  const what = event.type === 'MessageSent' ? '' : `<p><em>${escaped(words(event.type))}</em></p>`;
  const open = event.type === 'MessageSent' ? '' : `<p class="open">${escaped(openOf(event))}</p>`;
  return (
    `<tr><td>${event.revision}</td><td>${escaped(textIn(event.data, 'at'))}</td>` +
    `<td><code>${escaped(textIn(event.data, 'by'))}</code></td>` +
    `<td>${what}${contentOf(entry)}${open}</td><td>${index}</td></tr>`
  );
};

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
  'table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #ccc;padding:.4rem;' +
  'text-align:left;vertical-align:top}p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}' +
  'code{font-size:.75rem;overflow-wrap:anywhere}.gone,.open{color:#555}';

/**
 * A page that shows a conversation and carries its proof (`line`). It is a function of the proof
 * alone, so a verifier makes it again and finds any word that was changed. It runs no script and
 * loads nothing.
 */
export const pageOf = (
  { conversationId, head, publicKey, entries }: ConversationProof,
  line: string,
): string =>
  [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">',
    '<meta name="viewport" content="width=device-width">',
    `<title>Conversation ${escaped(conversationId)}</title><style>${STYLE}</style></head><body>`,
    `<h1>Conversation <code>${escaped(conversationId)}</code></h1>`,
    `<p>${entries.length} entries, each proven to be in a log of ${head.size} entries whose head was ` +
      `signed at ${escaped(head.at)} by key <code>${escaped(head.key)}</code> ` +
      `(<code>${escaped(publicKey)}</code>). What is shown is worth nothing until the file was checked: ` +
      '<code>npm run audit -- verify-proof FILE --key K</code>, with a key from elsewhere.</p>',
    '<table><thead><tr><th>seq</th><th>time</th><th>author</th><th>what</th><th>leaf</th></tr></thead><tbody>',
    ...entries.map(rowOf),
    '</tbody></table>',
    // No text can end the element: `<` is written as an escape of JSON.
    `${BEGIN}${line.trim().replaceAll('<', String.raw`\u003c`)}${END}`,
    '</body></html>',
    '',
  ].join('\n');

/** The proof that a page carries, as JSON; the empty text where it carries none. */
export const proofIn = (page: string): string => {
  const from = page.indexOf(BEGIN);
  if (from < 0) return '';
  const start = from + BEGIN.length;
  return page.slice(start, page.indexOf(END, start));
};
