import type { KeyObject } from 'node:crypto';
import {
  checkProof,
  isProof,
  PROOF_FORMAT,
  proofLine,
  type ProofChecked,
} from './conversation-proof.js';
import { pageOf, proofIn } from './proof-page.js';

const REFUSED = { entries: 0, opened: 0, sealed: 0, gaps: [], head: undefined } as const;

/** Checks a file, JSON or page: also that it is exactly what its proof is written as. */
export const checkProofFile = (text: string, key: KeyObject): ProofChecked => {
  const isPage = text.startsWith('<');
  let proof: unknown;
  try {
    proof = JSON.parse(isPage ? proofIn(text) : text);
  } catch {
    return { ...REFUSED, problems: ['It holds no proof: it is no JSON.'] };
  }
  if (!isProof(proof)) return { ...REFUSED, problems: [`It is not of ${PROOF_FORMAT}.`] };
  const checked = checkProof(proof, key);
  if (text === (isPage ? pageOf(proof, proofLine(proof)) : proofLine(proof))) return checked;
  const altered = isPage
    ? 'The page does not show exactly what its proof says: it was altered.'
    : 'The file is not in the form that proofs are written in: it was altered.';
  return { ...checked, problems: [...checked.problems, altered] };
};
