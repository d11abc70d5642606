import { Scripta, type Fact, type ScriptaOptions } from '#client';
import { TEST_PHONES } from './platform.js';

let phones = 0;

/** A number that nobody in this test run has, and that logs in with the test code. */
export const newPhone = (): string => {
  phones += 1;
  const own = String(process.pid % 10_000).padStart(4, '0');
  return `${TEST_PHONES.prefix}${own}${String(phones).padStart(4, '0')}`;
};

/** A device in a test: its client, and everything it has shown, in the order of showing. */
export type Device = Readonly<{ client: Scripta; facts: Fact[]; phone: string }>;

type Whereabouts = Pick<ScriptaOptions, 'url' | 'storage' | 'runtime'>;

/** Logs a device in without connecting; an unknown phone registers its person. */
export const newDevice = async (
  where: Whereabouts,
  { phone = newPhone(), name = 'Ada' }: Readonly<{ phone?: string; name?: string }> = {},
): Promise<Device> => {
  const client = new Scripta(where);
  const { requestId } = await client.requestCode(phone);
  await client.login({ requestId, code: TEST_PHONES.code, name });
  const facts: Fact[] = [];
  client.on('fact', (fact) => facts.push(fact));
  return { client, facts, phone };
};

/** A person with one device, connected and live. */
export const newPerson = async (where: Whereabouts, name = 'Ada'): Promise<Device> => {
  const device = await newDevice(where, { name });
  await device.client.connect();
  return device;
};

/** What was said, in the order in which a device has shown it. */
export const textsOf = (facts: readonly Fact[], conversationId?: string): string[] =>
  facts.flatMap((fact) =>
    fact.type === 'message.sent' &&
    (conversationId === undefined || fact.conversationId === conversationId)
      ? [fact.data.text]
      : [],
  );
