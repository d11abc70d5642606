import { createRequire } from 'node:module';
import type * as SharedModule from '@eventstore/db-client/generated/shared_pb.js';
import type * as StatusModule from '@eventstore/db-client/generated/status_pb.js';
import type * as ServicesModule from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type * as StreamsModule from '@eventstore/db-client/generated/streams_pb.js';
import type * as EmptyModule from 'google-protobuf/google/protobuf/empty_pb.js';

// The driver ships its generated messages as CommonJS that assigns its exports at run time.
const require = createRequire(import.meta.url);
const generated = '@eventstore/db-client/generated';

/* oxlint-disable typescript/no-unsafe-assignment -- what `require` gives is typed by the imports above */
/** The driver's generated messages and services. */
export const shared: typeof SharedModule = require(`${generated}/shared_pb.js`);
export const status: typeof StatusModule = require(`${generated}/status_pb.js`);
export const services: typeof ServicesModule = require(`${generated}/streams_grpc_pb.js`);
export const streams: typeof StreamsModule = require(`${generated}/streams_pb.js`);
export const empties: typeof EmptyModule = require('google-protobuf/google/protobuf/empty_pb.js');
/* oxlint-enable typescript/no-unsafe-assignment */

export type { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js';
export type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
