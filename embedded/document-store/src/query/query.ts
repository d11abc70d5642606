import { type Raw, TYPE, textOf } from '../bson/raw.js';
import { numberOf } from '../bson/number.js';
import { CommandError } from '../errors.js';
import { type Collection, type Index, namespaceOf, patternOf } from '../storage/catalog.js';
import type { Store } from '../storage/store.js';
import { fieldsOf } from '../bson/raw.js';
import { compileFilter } from './filter.js';
import { type Plan, planOf } from './plan.js';
import { type Projection, compileProjection } from './projection.js';
import { Scan } from './scan.js';
import { type SortField, Sorter, compileSort } from './sort.js';

/** What a find asks for. */
export interface Question {
  readonly filter: Raw | undefined;
  readonly sort?: Raw | undefined;
  readonly projection?: Raw | undefined;
  readonly hint?: Raw | undefined;
  readonly skip?: number | undefined;
  /** 0 or undefined: no limit. */
  readonly limit?: number | undefined;
}

/** Entries read ahead at first when nothing says how many are wanted (MongoDB's first batch). */
const EXPECTED = 101;

/** The index a hint names: null for `$natural`, undefined without a hint. */
export function hintedIndex(
  collection: Collection,
  hint: Raw | undefined,
): Index | null | undefined {
  if (hint === undefined) return undefined;
  const all = [collection.id, ...collection.indexes];
  let found: Index | undefined;
  if (hint.type === TYPE.string) {
    found = all.find(({ name }) => name === textOf(hint));
  } else if (hint.type === TYPE.object) {
    const wanted = [...fieldsOf(hint)].map(([name, order]) => [name, numberOf(order)]);
    if (wanted.length === 0) return undefined;
    if (wanted[0]?.[0] === '$natural') return null;
    const text = JSON.stringify(wanted);
    found = all.find((index) => JSON.stringify(patternOf(index)) === text);
  }
  if (found === undefined) {
    throw new CommandError(2, 'hint provided does not correspond to an existing index');
  }
  return found;
}

/** A query being answered: each step looks at one document. */
export class Query {
  readonly plan: Plan;
  readonly scan: Scan;
  private readonly projection: Projection | undefined;
  private readonly sorter: Sorter | undefined;
  private sortedDocuments: Buffer[] | undefined;
  private sortedAt = 0;
  private toSkip: number;
  private left: number;

  constructor(
    private readonly store: Store,
    collection: Collection,
    question: Question,
  ) {
    const sort: SortField[] = isNatural(question.sort) ? [] : compileSort(question.sort);
    this.plan = planOf(
      collection,
      compileFilter(question.filter),
      sort,
      hintedIndex(collection, question.hint),
    );
    this.projection = compileProjection(question.projection);
    this.toSkip = question.skip ?? 0;
    this.left = (question.limit ?? 0) === 0 ? Infinity : (question.limit ?? 0);
    if (!this.plan.sorted) this.sorter = new Sorter(sort, this.toSkip + this.left);
    const expected = this.plan.rest.length > 0 ? EXPECTED : this.toSkip + this.left;
    this.scan = new Scan(store, this.plan, Math.min(expected, EXPECTED));
  }

  /** A cursor must not read on in a tree that was dropped, and take its end for the answer's. */
  broken(): string | undefined {
    const { collection, index } = this.plan;
    const now = this.store.find(namespaceOf(collection));
    if (now?.tree !== collection.tree) return 'collection dropped or renamed';
    const isThere =
      index === undefined ||
      index === collection.id ||
      now.indexes.some(({ tree }) => tree === index.tree);
    return isThere ? undefined : `index '${index.name}' dropped`;
  }

  /** The next document, null when one was passed over, undefined at the end. */
  step(): Buffer | null | undefined {
    if (this.left <= 0) return undefined;
    const document = this.sorter === undefined ? this.fromScan() : this.fromSorter(this.sorter);
    if (document === null || document === undefined) return document;
    if (this.toSkip > 0) {
      this.toSkip--;
      return null;
    }
    this.left--;
    return this.projection === undefined ? document : this.projection(document);
  }

  private fromScan(): Buffer | null | undefined {
    const hit = this.scan.step();
    return hit === undefined || hit === null ? hit : hit.document;
  }

  private fromSorter(sorter: Sorter): Buffer | null | undefined {
    if (this.sortedDocuments !== undefined) return this.sortedDocuments[this.sortedAt++];
    const hit = this.scan.step();
    if (hit === null) return null;
    if (hit === undefined) this.sortedDocuments = sorter.finish();
    else sorter.add(hit.document);
    return null;
  }
}

function isNatural(sort: Raw | undefined): boolean {
  return sort !== undefined && fieldsOf(sort).has('$natural');
}
