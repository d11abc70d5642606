import type { NextFunction, Request, Response } from 'express';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Readable } from 'node:stream';
import { HttpException } from '@nestjs/common';

/** Bytes of one body, packed and unpacked alike (abuses 5 and 6). */
export const BODY_BYTES_MAX = 262_144;
/** Objects and arrays inside one another, and keys in all (abuse 4). */
const DEPTH_MAX = 32;
const KEYS_MAX = 1_000;

/** Keys that reach into JavaScript's own objects (abuse 8). */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
/** Strings of JSON; the second group is there when the string is a key. */
const JSON_STRINGS = /"(?:[^"\\]|\\.)*"(\s*:)?/gs;

const refuse = (status: number, message: string): never => {
  throw new HttpException(message, status);
};

const isSoundText = (text: string): boolean => text.isWellFormed() && !text.includes('\0');

const isSoundNumber = (number: number): boolean =>
  Number.isFinite(number) &&
  !Object.is(number, -0) &&
  (!Number.isInteger(number) || Number.isSafeInteger(number));

const mustBeSound = (value: unknown): void => {
  if (typeof value === 'string' && !isSoundText(value))
    refuse(400, 'Text must be well-formed Unicode without NUL.');
  if (typeof value === 'number' && !isSoundNumber(value))
    refuse(400, 'A number is finite, exact, and not -0.');
};

/** Walks a value that JSON.parse made; counts its keys and refuses what no input of ours holds. */
class Walk {
  keys = 0;

  visit(value: unknown, depth: number): void {
    mustBeSound(value);
    if (typeof value !== 'object' || value === null) return;
    if (depth >= DEPTH_MAX) refuse(400, `At most ${DEPTH_MAX} levels deep.`);
    if (Array.isArray(value)) for (const item of value) this.visit(item, depth + 1);
    else for (const [key, item] of Object.entries(value)) this.#field(key, item, depth);
  }

  #field(key: string, value: unknown, depth: number): void {
    this.keys += 1;
    if (this.keys > KEYS_MAX) refuse(400, `At most ${KEYS_MAX} keys.`);
    if (FORBIDDEN_KEYS.has(key) || !isSoundText(key)) refuse(400, 'A key is not allowed here.');
    this.visit(value, depth + 1);
  }
}

const countKeys = (json: string): number => {
  let keys = 0;
  for (const [, colon] of json.matchAll(JSON_STRINGS)) if (colon !== undefined) keys += 1;
  return keys;
};

/** The value of a JSON text. A key named twice is refused: readers differ in which one counts. */
export const parseJson = (bytes: Uint8Array): unknown => {
  let json: string;
  let value: unknown;
  try {
    json = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(json);
  } catch (cause) {
    throw new HttpException('The body is not JSON in UTF-8.', 400, { cause });
  }
  const walk = new Walk();
  walk.visit(value, 0);
  if (countKeys(json) !== walk.keys) refuse(400, 'An object names a key twice.');
  return value;
};

const isJson = (contentType: string | undefined): boolean =>
  /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType ?? '');

const unpacked = (request: Request): Readable => {
  switch (request.headers['content-encoding'] ?? 'identity') {
    case 'identity':
      return request;
    case 'gzip':
      return request.pipe(createGunzip());
    case 'deflate':
      return request.pipe(createInflate());
    case 'br':
      return request.pipe(createBrotliDecompress());
    default:
      return refuse(415, 'Content-Encoding is one of identity, gzip, deflate and br.');
  }
};

/** Collects a body; stops as soon as it is too long, however small it was packed. */
const collect = (stream: Readable, request: Request): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooLarge = () =>
      reject(new HttpException(`A body has at most ${BODY_BYTES_MAX} bytes.`, 413));
    const isOver = Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX;
    if (isOver) return tooLarge();
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
      else {
        request.unpipe();
        stream.removeAllListeners('data').pause();
        tooLarge();
      }
    });
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', (cause) =>
      reject(new HttpException('The body cannot be unpacked.', 400, { cause })),
    );
    request.once('aborted', () => reject(new HttpException('The body ended early.', 400)));
  });

const hasBody = ({ headers }: Request): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Reads a request's JSON into `request.body`, and refuses everything that is not exactly that. */
export const jsonBody = async (
  request: Request,
  response: Response,
  next: NextFunction,
): Promise<void> => {
  if (!hasBody(request)) return next();
  try {
    if (!isJson(request.headers['content-type']))
      refuse(415, 'Content-Type is application/json in UTF-8.');
    request.body = parseJson(await collect(unpacked(request), request));
  } catch (error) {
    // What is left of the body is not read: the connection has no further use.
    response.set('Connection', 'close');
    return next(error);
  }
  next();
};
