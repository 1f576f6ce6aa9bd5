import {
  type ImportFault,
  type MembersImported,
  mostImportErrors,
  type RowsImported,
} from '@mentorhub/contracts';

/** Adds up what became of the rows; of the errors it keeps the first thousand. */
export class ImportReport {
  private created = 0;
  private updated = 0;
  private readonly errors: ImportFault[] = [];
  private failed = 0;

  get errorCount(): number {
    return this.failed;
  }

  /** What became of one batch: the faults found in the file, and what identity answered to the other rows. */
  add(faults: readonly ImportFault[], { created, updated, errors }: RowsImported): void {
    this.created += created;
    this.updated += updated;
    this.failed += faults.length + errors.length;
    const room = mostImportErrors - this.errors.length;
    if (room > 0) {
      const all = [...faults, ...errors].toSorted((one, other) => one.line - other.line);
      this.errors.push(...all.slice(0, room));
    }
  }

  toAnswer(): MembersImported {
    const { created, updated, errors, failed } = this;
    return { created, updated, errors, error_count: failed };
  }
}
