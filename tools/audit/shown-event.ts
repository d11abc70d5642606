import { isSealed, unseal, type LogEvent } from '#platform';
import type { OpenLog } from './log.js';

/** What became of an event's personal content, for the one who looks. */
export type Content =
  | Readonly<{ state: 'none' }>
  /** Only that it was there; a holder of the text can show that it is the one. */
  | Readonly<{ state: 'sealed'; subject: string; commit: string }>
  | Readonly<{ state: 'erased'; subject: string; commit: string }>
  | Readonly<{ state: 'opened'; subject: string; commit: string; texts: object }>
  | Readonly<{ state: 'broken'; subject: string; commit: string; why: string }>;

/** An event as an auditor sees it. */
export type ShownEvent = Readonly<{
  position: number;
  stream: string;
  revision: number;
  id: string;
  type: string;
  at: string | undefined;
  by: string | undefined;
  correlationId: string | undefined;
  data: object;
  content: Content;
}>;

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

const contentOf = async (event: LogEvent, { keys }: Pick<OpenLog, 'keys'>): Promise<Content> => {
  const { sealed } = event.data;
  if (!isSealed(sealed)) return { state: 'none' };
  const { subject, commit } = sealed;
  if (!keys) return { state: 'sealed', subject, commit };
  const key = await keys.find(subject);
  if (!key) return { state: 'erased', subject, commit };
  try {
    const { salt: _salt, ...texts } = unseal(sealed, event, key);
    return { state: 'opened', subject, commit, texts };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { state: 'broken', subject, commit, why };
  }
};

/** An event with what may be seen of it: content is opened only where there are keys. */
export const shownEvent = async (
  event: LogEvent,
  log: Pick<OpenLog, 'keys'>,
): Promise<ShownEvent> => {
  const { position, stream, revision, id, type, metadata } = event;
  const { sealed: _sealed, prev: _prev, ...data } = event.data;
  return {
    position,
    stream,
    revision,
    id,
    type,
    at: text(data['at']),
    by: text(data['by']),
    correlationId: text(metadata['$correlationId']),
    data,
    content: await contentOf(event, log),
  };
};

const contentLine = (content: Content): string => {
  switch (content.state) {
    case 'none':
      return '';
    case 'opened':
      return JSON.stringify(content.texts);
    case 'broken':
      return `cannot be opened: ${content.why}`;
    default:
      return `[${content.state}, commitment ${content.commit}]`;
  }
};

/** Fields of the data that the line names anyway. */
const FRAME = new Set(['v', 'at', 'by', 'origin', 'conversationId']);

/** One line for a person at a terminal. */
export const lineOf = ({
  position,
  stream,
  revision,
  type,
  at,
  by,
  ...rest
}: ShownEvent): string => {
  const data = Object.fromEntries(Object.entries(rest.data).filter(([name]) => !FRAME.has(name)));
  const cells = [String(position).padStart(12), at ?? '', `${stream}@${revision}`, type];
  const body = [
    by === undefined ? '' : `by ${by}`,
    JSON.stringify(data),
    contentLine(rest.content),
  ];
  return [...cells, ...body.filter((cell) => cell !== '' && cell !== '{}')].join('  ');
};
