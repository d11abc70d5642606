import { NULL_VALUE, Raw, TYPE, elementsOf, fieldOf } from '../bson/raw.js';

/** A dotted field path, split and ready for comparing names as bytes. */
export interface Path {
  readonly text: string;
  readonly parts: readonly Buffer[];
  /** For each part, its number when it can also mean a place in an array, else -1. */
  readonly places: readonly number[];
}

const known = new Map<string, Path>();
/** Paths come from index patterns and queries; a bound keeps odd clients from growing it. */
const KNOWN_MAX = 10_000;

/** The path of a dotted name. */
export function pathOf(text: string): Path {
  const found = known.get(text);
  if (found !== undefined) return found;
  const names = text.split('.');
  const path = {
    text,
    parts: names.map((name) => Buffer.from(name)),
    places: names.map((name) => (/^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : -1)),
  };
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(text, path);
  return path;
}

/** What a path leads to in one document. */
export interface Found {
  /** The values at the end of the path; an array counts as itself here. */
  readonly values: Raw[];
  /** An array was walked through on the way. */
  throughArray: boolean;
  /** On some way the path ends early (MongoDB matches null there). */
  missing: boolean;
}

function step(found: Found, at: Raw, path: Path, depth: number): void {
  const name = path.parts[depth];
  if (name === undefined) {
    found.values.push(at);
    return;
  }
  if (at.type === TYPE.object) {
    const next = fieldOf(at, name);
    if (next === undefined) found.missing = true;
    else step(found, next, path, depth + 1);
    return;
  }
  if (at.type !== TYPE.array) {
    found.missing = true;
    return;
  }
  found.throughArray = true;
  const elements = elementsOf(at);
  const place = path.places[depth] ?? -1;
  const placed = place >= 0 ? elements[place] : undefined;
  if (placed !== undefined) step(found, placed, path, depth + 1);
  for (const element of elements) {
    if (element.type === TYPE.object) step(found, element, path, depth);
  }
}

/** Follows a path through a document, into every element of the arrays on its way. */
export function follow(document: Raw, path: Path): Found {
  const found: Found = { values: [], throughArray: false, missing: false };
  step(found, document, path, 0);
  return found;
}

const EMPTY_ARRAY_KEY = new Raw(TYPE.undefined, NULL_VALUE.buf, 0, 0);

/**
 * The values that an index holds for a path: an array's elements, undefined for an empty array and
 * null for what is missing. `multikey` tells that an array was met.
 */
export function indexedValues(document: Raw, path: Path): { values: Raw[]; multikey: boolean } {
  const first = path.parts[0];
  if (path.parts.length === 1 && first !== undefined) {
    const value = fieldOf(document, first);
    if (value === undefined) return { values: [NULL_VALUE], multikey: false };
    if (value.type !== TYPE.array) return { values: [value], multikey: false };
  }
  const found = follow(document, path);
  const values: Raw[] = [];
  const hasArray = spread(found.values, values);
  if (values.length === 0 || found.missing) values.push(NULL_VALUE);
  return { values, multikey: found.throughArray || hasArray };
}

/** Puts arrays' elements in their place; true when there was an array. */
function spread(found: readonly Raw[], values: Raw[]): boolean {
  let hasArray = false;
  for (const value of found) {
    if (value.type !== TYPE.array) {
      values.push(value);
      continue;
    }
    hasArray = true;
    const elements = elementsOf(value);
    values.push(...(elements.length === 0 ? [EMPTY_ARRAY_KEY] : elements));
  }
  return hasArray;
}
