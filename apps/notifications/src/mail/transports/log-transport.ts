import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CapturedMail } from '@mentorhub/contracts';
import { MailTransport, type OutgoingMail } from './mail-transport.js';

const keptByDefault = 1000;
const shownAtOnce = 100;

/**
 * Keeps mails as JSON files instead of sending them, the newest 1000. Several processes may share the directory: a file
 * appears whole or not at all, and its name sorts by time.
 */
export class LogTransport extends MailTransport {
  constructor(
    private readonly directory: string,
    private readonly kept = keptByDefault,
  ) {
    super();
  }

  override async send({ to, subject, text, html }: OutgoingMail): Promise<void> {
    const sentAt = new Date();
    const id = `${sentAt.getTime().toString().padStart(14, '0')}-${randomUUID()}`;
    const mail: CapturedMail = {
      id,
      to: to.address,
      subject,
      text,
      html,
      sent_at: sentAt.toISOString(),
    };
    await mkdir(this.directory, { recursive: true });
    const unfinished = join(this.directory, `${id}.tmp`);
    // Mails hold tokens: nobody else on the machine may read them.
    await writeFile(unfinished, JSON.stringify(mail, undefined, 2), { mode: 0o600 });
    await rename(unfinished, join(this.directory, `${id}.json`));
    const names = await this.names();
    await Promise.all(
      names.slice(this.kept).map((name) => rm(join(this.directory, name), { force: true })),
    );
  }

  /** The newest first, at most 100; all, or those to one address. */
  async list(to?: string): Promise<CapturedMail[]> {
    const wanted = to?.trim().toLowerCase();
    const mails: CapturedMail[] = [];
    for (const name of await this.names()) {
      if (mails.length === shownAtOnce) break;
      const mail = await this.read(name);
      if (mail && (wanted === undefined || mail.to.toLowerCase() === wanted)) mails.push(mail);
    }
    return mails;
  }

  /** File names, the newest first. */
  private async names(): Promise<string[]> {
    const names = await readdir(this.directory).catch(absent<string[]>([]));
    return names
      .filter((name) => name.endsWith('.json'))
      .toSorted()
      .toReversed();
  }

  /** Undefined when another process has just removed it. */
  private async read(name: string): Promise<CapturedMail | undefined> {
    const content = await readFile(join(this.directory, name), 'utf8').catch(absent(undefined));
    return content === undefined ? undefined : (JSON.parse(content) as CapturedMail);
  }
}

/** Takes a missing file or folder for `instead`. */
function absent<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return instead;
    throw error;
  };
}
