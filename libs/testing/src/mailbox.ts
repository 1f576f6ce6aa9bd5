import assert from 'node:assert/strict';
import { Actor, eventually } from './actor.js';

export interface CapturedMail {
  subject: string;
  text: string;
}

/** Waits for a mail to an address, among those that the local profile captures. */
export function mailTo(baseUrl: string, address: string, about: RegExp): Promise<CapturedMail> {
  return eventually(`a mail to ${address} about ${about}`, async () => {
    const reader = new Actor(baseUrl);
    const { items } = await reader.get<{ items: CapturedMail[] }>(
      `/dev/mail.json?to=${encodeURIComponent(address)}`,
    );
    return items.find(({ subject, text }) => about.test(subject) || about.test(text));
  });
}

/** The token in the verification mail to an address. */
export async function verificationToken(baseUrl: string, address: string): Promise<string> {
  const mail = await mailTo(baseUrl, address, /#token=/);
  const token = /#token=([\w.~-]+)/.exec(mail.text)?.[1];
  assert.ok(token, 'the verification mail carries a link');
  return token;
}
