/** A reason why the system cannot start, and the remedy, as text for the terminal. */
export class StartProblem extends Error {
  override readonly name = 'StartProblem';

  constructor(
    message: string,
    /** What the user can do; may have several lines. */
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(`${message}\n${remedy}`, options);
  }
}

/** The code of a Node.js system error (`ENOENT`, `EACCES`, …), if `error` is one. */
export function errorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return undefined;
}

/** Turns the errors of a full disk or a folder that may not be written to into a {@link StartProblem}. */
export function explainFileError(error: unknown, directory: string): unknown {
  switch (errorCode(error) ?? '') {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StartProblem(
        `No space is left on the disk of ${directory}.`,
        'Free at least 1 GB there, or choose another folder with DATA_DIRECTORY=/path npm start.',
        { cause: error },
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StartProblem(
        `The folder ${directory} cannot be written to.`,
        'Give this user write permission on it, or choose another folder with DATA_DIRECTORY=/path npm start.',
        { cause: error },
      );
    default:
      return error;
  }
}
