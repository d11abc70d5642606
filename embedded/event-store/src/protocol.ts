import { createRequire } from 'node:module';
import type * as AnyModule from 'google-protobuf/google/protobuf/any_pb.js';
import type * as FeaturesModule from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type * as GossipModule from '@eventstore/db-client/generated/gossip_pb.js';
import type * as SharedModule from '@eventstore/db-client/generated/shared_pb.js';
import type * as StatusModule from '@eventstore/db-client/generated/status_pb.js';
import type * as StreamsModule from '@eventstore/db-client/generated/streams_pb.js';

// The client ships its generated messages as CommonJS that assigns its exports at run time.
const require = createRequire(import.meta.url);
const generated = '@eventstore/db-client/generated';

/* oxlint-disable typescript/no-unsafe-assignment -- what `require` gives is typed by the imports above */
/** Generated messages, and protobuf's envelope for any message. */
export const Any: typeof AnyModule.Any = require('google-protobuf/google/protobuf/any_pb.js').Any;
export const features: typeof FeaturesModule = require(`${generated}/serverfeatures_pb.js`);
export const gossip: typeof GossipModule = require(`${generated}/gossip_pb.js`);
export const shared: typeof SharedModule = require(`${generated}/shared_pb.js`);
export const status: typeof StatusModule = require(`${generated}/status_pb.js`);
export const streams: typeof StreamsModule = require(`${generated}/streams_pb.js`);
/* oxlint-enable typescript/no-unsafe-assignment */

export type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  DeleteReq,
  DeleteResp,
  ReadReq,
} from '@eventstore/db-client/generated/streams_pb.js';
export type { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb.js';
