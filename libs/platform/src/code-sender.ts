/** Brings a one-time code to a phone. */
export abstract class CodeSender {
  /** Sends; throws when it cannot, and the person asks again. */
  abstract send(phone: string, code: string): Promise<void>;
}

/** Prints codes on standard output: a laptop has no text messages. */
export class ConsoleCodeSender extends CodeSender {
  override send(phone: string, code: string): Promise<void> {
    process.stdout.write(`Code for ${phone}: ${code}\n`);
    return Promise.resolve();
  }
}

/** Keeps the codes it was to send, by phone, for tests and the simulation. */
export class MemoryCodeSender extends CodeSender {
  readonly sent = new Map<string, string>();

  override send(phone: string, code: string): Promise<void> {
    this.sent.set(phone, code);
    return Promise.resolve();
  }
}
