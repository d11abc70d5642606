/**
 * RFC 8785 canonical JSON: names in the order of their UTF-16 code units, texts and numbers as
 * ECMAScript writes them. Half of a surrogate pair, which the RFC refuses, stays an escape, so that
 * whatever a log holds has one form. Throws for what JSON cannot hold.
 */
export const canonical = (value: unknown): string => {
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? listOf(value) : recordOf(value);
  const isFinite = typeof value !== 'number' || Number.isFinite(value);
  const text = isFinite ? JSON.stringify(value) : undefined;
  if (text === undefined) throw new TypeError(`${String(value)} is not JSON.`);
  return text;
};

const listOf = (items: readonly unknown[]): string => {
  let text = '[';
  for (const item of items) text += text === '[' ? canonical(item) : `,${canonical(item)}`;
  return `${text}]`;
};

const recordOf = (record: object): string => {
  let text = '{';
  const fields: Readonly<Record<string, unknown>> = { ...record };
  for (const name of Object.keys(fields).toSorted()) {
    const value = fields[name];
    if (value === undefined) continue;
    if (text !== '{') text += ',';
    text += `${JSON.stringify(name)}:${canonical(value)}`;
  }
  return `${text}}`;
};
