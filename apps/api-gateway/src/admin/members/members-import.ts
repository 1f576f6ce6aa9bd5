import {
  ApplicationError,
  type Caller,
  type Device,
  Members,
  type MembersImported,
} from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Injectable, Logger } from '@nestjs/common';
import { ImportReport } from './import-report.js';
import { readMembers } from './member-file.js';

/**
 * Imports a file of members as it arrives: batch after batch goes to identity, and the upload waits meanwhile, so that
 * neither side holds more than a batch.
 */
@Injectable()
export class MembersImport {
  private readonly logger = new Logger(MembersImport.name);

  constructor(private readonly requests: RequestClient) {}

  /**
   * Takes every row that can be taken. What was imported before a failure stays, and importing the file again adds the
   * rest.
   * @throws ApplicationError VALIDATION_FAILED when the first line does not name the columns, and whatever `source` or
   *   identity fails with
   */
  async run(
    actor: Caller,
    device: Device,
    source: AsyncIterable<Buffer>,
  ): Promise<MembersImported> {
    const batches = readMembers(source, await import('csv-parse/sync'));
    let batch = await batches.next();
    const { import_id } = await this.requests.request(Members.beginImport, actor, { device });
    const report = new ImportReport();
    let complete = false;
    let imported = 0;
    try {
      for (; batch.done !== true; batch = await batches.next()) {
        const { rows, faults } = batch.value;
        const answer =
          rows.length === 0
            ? { created: 0, updated: 0, errors: [] }
            : await this.requests.request(Members.importRows, actor, { import_id, rows });
        report.add(faults, answer);
        imported = rows.at(-1)?.line ?? imported;
      }
      complete = true;
    } catch (error) {
      throw imported === 0 ? error : withProgress(error, imported);
    } finally {
      await this.finish(actor, { import_id, complete, failed: report.errorCount, device });
    }
    return report.toAnswer();
  }

  /** An import that is not finished expires by itself, so the outcome of the rows counts, not of this. */
  private async finish(
    actor: Caller,
    outcome: { import_id: string; complete: boolean; failed: number; device: Device },
  ): Promise<void> {
    try {
      await this.requests.request(Members.finishImport, actor, outcome);
    } catch (error) {
      this.logger.warn('An import of members was not finished.', error);
    }
  }
}

/** The same error, which says how far the import got. */
function withProgress(error: unknown, line: number): unknown {
  if (!(error instanceof ApplicationError)) return error;
  const { code, detail, errors, data, retryAfterSeconds } = error;
  return new ApplicationError(
    code,
    `${detail} The rows up to line ${line} are imported; importing the file again adds the others.`,
    { errors, data, retryAfterSeconds, cause: error },
  );
}
