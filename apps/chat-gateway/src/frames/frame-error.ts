import { ApplicationError, type ErrorCode, type FrameErrorCode } from '@mentorhub/contracts';

/** Why a frame could not be carried out, as the client gets it. */
export class FrameError extends Error {
  override readonly name = 'FrameError';

  constructor(
    readonly code: FrameErrorCode,
    /** Names the fix. */
    readonly detail: string,
    readonly clientId?: string,
  ) {
    super(detail);
  }
}

const frameCodes: Partial<Record<ErrorCode, FrameErrorCode>> = {
  MALFORMED_REQUEST: 'validation',
  VALIDATION_FAILED: 'validation',
  NOT_FOUND: 'not_found',
  FORBIDDEN: 'forbidden',
  EMAIL_NOT_VERIFIED: 'forbidden',
  UNAUTHENTICATED: 'unauthenticated',
  RATE_LIMITED: 'rate_limited',
};

/** Translates any failure; what is not the client's doing is `unavailable`, and trying again is right. */
export function toFrameError(error: unknown): FrameError {
  if (error instanceof FrameError) return error;
  if (error instanceof ApplicationError) {
    const detail = error.errors?.map(({ message }) => message).join(' ') ?? error.detail;
    return new FrameError(frameCodes[error.code] ?? 'unavailable', detail);
  }
  return new FrameError('unavailable', 'Something went wrong on our side. Try again in a moment.');
}

/** Whether the failure is worth a line in the log: one that nobody expected. */
export function isUnexpected(error: unknown): boolean {
  return !(error instanceof FrameError || error instanceof ApplicationError);
}
