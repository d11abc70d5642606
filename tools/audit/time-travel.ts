import { recordAccess } from './access.js';
import type { OpenLog } from './log.js';
import { numberIn, type Asked, type Options } from './options.js';
import { positionIn } from './replaying.js';
import { differences, membersAt, stateAt, streamNamed, type Moment } from './state.js';

const momentOf = (options: Options): Moment => {
  const [seq, position] = [numberIn(options, 'seq'), numberIn(options, 'at')];
  const timeMs = options.time === undefined ? undefined : Date.parse(options.time);
  if (Number.isNaN(timeMs)) throw new Error('--time takes a time such as 2026-11-23T12:00:00Z.');
  return {
    ...(seq === undefined ? {} : { seq }),
    ...(position === undefined ? {} : { position }),
    ...(timeMs === undefined ? {} : { timeMs }),
  };
};

const tell = (value: unknown, { json }: Options): void =>
  console.log(JSON.stringify(value, undefined, json ? undefined : 2));

const conversationOf = (stream: string): string => {
  if (stream.startsWith('conversation-')) return stream.slice('conversation-'.length);
  throw new Error(`${stream} has no members.`);
};

/** `state`: what was true, as of a place in the stream, in the log, or a time. */
export const stateCommand = async (log: OpenLog, { rest, options }: Asked): Promise<void> => {
  if (rest[0] === undefined) throw new Error('Say of what: state STREAM.');
  const stream = streamNamed(rest[0]);
  const moment = momentOf(options);
  const before = JSON.stringify(moment);
  const scope = `state of ${stream} at ${before}${options.member ? ` of ${options.member}` : ''}`;
  await recordAccess(log, { scope, from: 0, to: moment.position ?? -1 }, options);
  if (!options.members && options.member === undefined)
    return tell(await stateAt(log, stream, moment, options['from-zero']), options);
  const people = await membersAt(log, conversationOf(stream), moment, options.member);
  return tell(people, options);
};

/** `diff`: what differs between two positions. */
export const diffCommand = async (log: OpenLog, { rest, options }: Asked): Promise<void> => {
  const [name, from, to] = rest;
  if (name === undefined) throw new Error('Say of what: diff STREAM A B.');
  const stream = streamNamed(name);
  const [first, second] = [positionIn(from, options), positionIn(to, options)];
  await recordAccess(log, { scope: `difference of ${stream}`, from: first, to: second }, options);
  const [before, after] = [
    await stateAt(log, stream, { position: first }),
    await stateAt(log, stream, { position: second }),
  ];
  const changed = differences(before.state, after.state);
  if (options.json) return tell(changed, options);
  for (const { path, before: one, after: other } of changed)
    console.log(
      `${path}: ${JSON.stringify(one) ?? 'absent'} -> ${JSON.stringify(other) ?? 'absent'}`,
    );
  console.log(`${changed.length} differences from seq ${before.seq} to seq ${after.seq}`);
  return undefined;
};
