import { Scripta, type Fact } from '#client';
import { newPhone, TEST_PHONES, type Platform } from '#testing';

/** A device with its token, and everything that it has shown. */
export type Someone = Readonly<{
  client: Scripta;
  token: string;
  phone: string;
  userId: string;
  deviceId: string;
  facts: Fact[];
}>;

/** Logs somebody in on a new device, without connecting it. */
export const someone = async (
  { url }: Pick<Platform, 'url'>,
  name: string,
  phone = newPhone(),
): Promise<Someone> => {
  const client = new Scripta({ url });
  const { requestId } = await client.requestCode(phone);
  const code = TEST_PHONES.code;
  const { accessToken: token, userId, deviceId } = await client.login({ requestId, code, name });
  const facts: Fact[] = [];
  client.on('fact', (fact) => facts.push(fact));
  return { client, token, phone, userId, deviceId, facts };
};

/** Asks the REST door. */
export const ask = async (
  { url }: Pick<Platform, 'url'>,
  { token }: Pick<Someone, 'token'>,
  path: string,
): Promise<{ status: number; body: unknown }> => {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url.rest}${path}`, { headers });
  return { status: answer.status, body: await answer.json() };
};
