import { writeFile } from 'node:fs/promises';
import { limitsDocument } from '#platform';

// The page says what the table of limits says; a test keeps the two alike.
await writeFile('docs/reference/limits.md', limitsDocument());
