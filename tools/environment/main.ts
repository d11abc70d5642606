import { writeFile } from 'node:fs/promises';
import { exampleEnvironment } from '#platform';

// `.env.example` says what the schema of the settings says; a test keeps the two alike.
await writeFile('.env.example', exampleEnvironment());
