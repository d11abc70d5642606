import { numberOf } from '../bson/number.js';
import { type Raw, ElementCursor, documentOf } from '../bson/raw.js';
import { CommandError, notSupported } from '../errors.js';
import { KeyWriter, WHOLE, encodeValue } from '../keys/encode.js';
import { type Path, indexedValues, pathOf } from '../keys/paths.js';

/** One field to sort by. */
export interface SortField {
  readonly path: Path;
  readonly descending: boolean;
}

/** MongoDB's limit on what a sort may hold without an index, bytes. */
const SORT_BYTES_MAX = 100 * 1024 * 1024;
/** With a limit, what can no longer be among the first is dropped at this many above it. */
const SORT_SLACK = 1_000;

/** Reads a sort document. */
export function compileSort(sort: Raw | undefined): SortField[] {
  const fields: SortField[] = [];
  if (sort === undefined) return fields;
  const cursor = new ElementCursor(sort.buf, sort.start);
  while (cursor.next()) {
    const order = numberOf(cursor.value());
    if (cursor.value().isContainer()) throw notSupported('$meta in a sort');
    if (order !== 1 && order !== -1) {
      throw new CommandError(15975, '$sort key ordering must be 1 (for ascending) or -1');
    }
    fields.push({ path: pathOf(cursor.name()), descending: order === -1 });
  }
  return fields;
}

const writer = new KeyWriter();

/** Ascending an array counts as its least element, descending as its greatest. */
function chosen(values: readonly Raw[], descending: boolean): Raw | undefined {
  const [first] = values;
  if (values.length <= 1 || first === undefined) return first;
  let best = { value: first, bytes: encodeValue(first) };
  for (const value of values) {
    const bytes = encodeValue(value);
    const order = Buffer.compare(bytes, best.bytes);
    if (descending ? order > 0 : order < 0) best = { value, bytes };
  }
  return best.value;
}

/** Bytes that compare as the sort orders documents. */
export function sortKey(document: Buffer, sort: readonly SortField[]): Buffer {
  writer.reset();
  const whole = documentOf(document);
  for (const { path, descending } of sort) {
    const value = chosen(indexedValues(whole, path).values, descending);
    if (value !== undefined) writer.value(value, descending, WHOLE);
  }
  return writer.take();
}

/** Collects documents and gives them back in order, the first `limit` of them. */
export class Sorter {
  private entries: { key: Buffer; document: Buffer }[] = [];
  private bytes = 0;

  constructor(
    private readonly sort: readonly SortField[],
    private readonly limit: number,
  ) {}

  add(document: Buffer): void {
    const key = sortKey(document, this.sort);
    this.entries.push({ key, document });
    this.bytes += key.length + document.length;
    if (this.entries.length > this.limit + SORT_SLACK) this.cut();
    if (this.bytes > SORT_BYTES_MAX) {
      throw new CommandError(
        292,
        `Sort exceeded memory limit of ${SORT_BYTES_MAX} bytes; an index that gives the order ` +
          'or a limit would avoid it',
      );
    }
  }

  finish(): Buffer[] {
    this.cut();
    return this.entries.map(({ document }) => document);
  }

  private cut(): void {
    this.entries.sort((a, b) => Buffer.compare(a.key, b.key));
    this.entries = this.entries.slice(0, this.limit);
    this.bytes = this.entries.reduce(
      (sum, { key, document }) => sum + key.length + document.length,
      0,
    );
  }
}
