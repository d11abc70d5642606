import { Metadata, type status as codes } from '@grpc/grpc-js';

/** A call that ends with a gRPC error; the trailers tell the client which class of error it is. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: codes;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(code: codes, details: string, trailers: Readonly<Record<string, string>> = {}) {
    super(details);
    this.code = code;
    this.details = details;
    for (const [key, value] of Object.entries(trailers)) this.metadata.set(key, value);
  }
}
