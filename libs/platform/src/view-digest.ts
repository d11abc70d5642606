import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { ViewWriter } from './view-writer.js';

/** Documents of one page of a dump. */
const PAGE_DOCUMENTS = 1_000;

/** What a view holds, in one number: equal only if every document is, byte for byte. */
export type ViewDigest = Readonly<{
  documents: number;
  sha256: string;
  /** The highest position of a document. */
  newest: number;
}>;

/**
 * SHA-256 over the RFC 8785 form of each document, in the order of ids, a line each. Guards of
 * deleted documents do not count. Nobody may write the view meanwhile.
 */
export const digestOf = async (writer: ViewWriter, view: string): Promise<ViewDigest> => {
  const hash = createHash('sha256');
  let documents = 0;
  let newest = -1;
  let after = '';
  for (;;) {
    const page = await writer.page(view, after, PAGE_DOCUMENTS);
    for (const kept of page) {
      after = kept._id;
      if (kept.gone === true) continue;
      hash.update(`${canonicalize(kept) ?? ''}\n`);
      documents += 1;
      newest = Math.max(newest, kept.position);
    }
    if (page.length < PAGE_DOCUMENTS) return { documents, sha256: hash.digest('hex'), newest };
  }
};
