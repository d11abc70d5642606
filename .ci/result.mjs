// Closes a CI run with the plain line `N passed, N failed[, N skipped]`.
import { readFileSync } from 'node:fs';

const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites, testResults } =
  JSON.parse(readFileSync(process.argv[2], 'utf8'));

// A file that could not even be loaded has no tests in it, and is a failure all the same.
const broken = testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
).length;
const failed = numFailedTests + broken;
const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
console.log(`${numPassedTests} passed, ${failed} failed${skipped}`);
process.exit(failed > 0 || numFailedTestSuites > 0 || numPassedTests === 0 ? 1 : 0);
