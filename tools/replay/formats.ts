import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** A message of a chat history; `id` is unique within the file. */
export type Message = Readonly<{ id: string; room: string; author: string; text: string }>;

const line = z.object({
  id: z.string().min(1),
  room: z.string().min(1),
  author: z.string().min(1),
  kind: z.enum(['message', 'action']),
  text: z.string(),
});

const fromJsonLines = (text: string, file: string): Message[] =>
  text.split('\n').flatMap((json, at) => {
    if (json.trim() === '') return [];
    try {
      const { id, room, author, kind, text: said } = line.parse(JSON.parse(json));
      return [{ id, room, author, text: kind === 'action' ? `/me ${said}` : said }];
    } catch (cause) {
      const expected = '{"id", "room", "author", "kind": "message" or "action", "text"}';
      throw new Error(`${file}:${at + 1} is not a message; each line is ${expected}.`, { cause });
    }
  });

/**
 * `DD/MM/YYYY, HH:MM - ` begins a line of WhatsApp's Android export; others go on with the last.
 */
const STAMP = /^\d{1,2}\/\d{1,2}\/\d{2,4}, \d{1,2}:\d{2}(?:\s?[ap]m)? - /iu;
const SAID = /^([^:]+): ([\s\S]*)$/u;

const fromWhatsApp = (text: string, room: string): Message[] => {
  const entries: string[] = [];
  for (const part of text.split(/\r?\n/u)) {
    if (STAMP.test(part)) entries.push(part.replace(STAMP, ''));
    else if (entries.length > 0) entries.push(`${entries.pop() ?? ''}\n${part}`);
  }
  return entries.flatMap((entry, at) => {
    // What has no author is WhatsApp's own voice: "You created group …".
    const [, author, said] = SAID.exec(entry) ?? [];
    return author === undefined || said === undefined || said.trim() === ''
      ? []
      : [{ id: String(at), room, author, text: said.trimEnd() }];
  });
};

/** Reads a chat history: JSON Lines (`.jsonl`), or WhatsApp's Android export (`.txt`). */
export const readHistory = async (file: string): Promise<readonly Message[]> => {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`${file} cannot be read.`, { cause });
  });
  const name = file.split('/').at(-1) ?? file;
  const messages = STAMP.test(text) ? fromWhatsApp(text, name) : fromJsonLines(text, file);
  if (messages.length === 0) throw new Error(`${file} holds no message.`);
  return messages;
};
