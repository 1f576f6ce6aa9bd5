/** One invalid field of a request. */
export interface FieldError {
  /** Path of the field, `availability.monday[0]`. */
  field: string;
  message: string;
}

/**
 * Every error code, with the HTTP status it is answered with. Codes are stable: clients may rely on them.
 */
export const errorStatus = {
  MALFORMED_REQUEST: 400,
  UNAUTHENTICATED: 401,
  INVALID_CREDENTIALS: 401,
  INVALID_REFRESH_TOKEN: 401,
  MFA_REQUIRED: 401,
  FORBIDDEN: 403,
  EMAIL_NOT_VERIFIED: 403,
  REAUTHENTICATION_REQUIRED: 403,
  NOT_A_MENTOR: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  EMAIL_TAKEN: 409,
  USERNAME_TAKEN: 409,
  ALREADY_MENTOR: 409,
  LAST_ADMINISTRATOR: 409,
  WRONG_STATE: 409,
  STALE_VERSION: 409,
  BOOKING_SLOT_TAKEN: 409,
  IDEMPOTENCY_KEY_REUSED: 409,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  VALIDATION_FAILED: 422,
  INVALID_TOKEN: 422,
  INVALID_CODE: 422,
  INVALID_PASSKEY: 422,
  AMOUNT_MISMATCH: 422,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  PROVIDER_UNAVAILABLE: 503,
  SERVICE_UNAVAILABLE: 503,
  OVERLOADED: 503,
  DEADLINE_EXCEEDED: 504,
} as const;

export type ErrorCode = keyof typeof errorStatus;

export interface ApplicationErrorOptions extends ErrorOptions {
  /** One entry per invalid field. */
  errors?: FieldError[];
  /** Further members of the error body, such as `alternatives`. */
  data?: Record<string, unknown>;
  /** Sent as `Retry-After`. */
  retryAfterSeconds?: number;
}

/** The body of every error over HTTP, from gateways and edge alike. */
export interface HttpErrorBody {
  /** What went wrong and how to fix it. */
  detail: string;
  status_code: number;
  code: ErrorCode;
  /** One entry per invalid field. */
  errors: FieldError[];
  request_id: string;
}

/** @param status the one of the code, unless HTTP has a closer one */
export function httpErrorBody(
  { code, detail, errors = [] }: Pick<Problem, 'code' | 'detail' | 'errors'>,
  requestId: string,
  status: number = errorStatus[code],
): HttpErrorBody {
  return { detail, status_code: status, code, errors, request_id: requestId };
}

/** What a failed request answers between apps; the gateways turn it into their own error formats. */
export interface Problem {
  code: ErrorCode;
  /** What went wrong and how to fix it. */
  detail: string;
  errors?: FieldError[];
  data?: Record<string, unknown>;
  retry_after_seconds?: number;
}

/** An expected failure: a stable code and a message that says the fix. Crosses NATS and keeps both. */
export class ApplicationError extends Error {
  override readonly name = 'ApplicationError';
  readonly errors?: FieldError[];
  readonly data?: Record<string, unknown>;
  readonly retryAfterSeconds?: number;

  constructor(
    readonly code: ErrorCode,
    /** What went wrong and how to fix it; shown to the client. */
    readonly detail: string,
    options: ApplicationErrorOptions = {},
  ) {
    super(detail, { cause: options.cause });
    this.errors = options.errors;
    this.data = options.data;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return errorStatus[this.code];
  }

  toProblem(): Problem {
    const { code, detail, errors, data, retryAfterSeconds: retry_after_seconds } = this;
    return { code, detail, errors, data, retry_after_seconds };
  }

  static fromProblem({
    code,
    detail,
    errors,
    data,
    retry_after_seconds,
  }: Problem): ApplicationError {
    return new ApplicationError(code, detail, {
      errors,
      data,
      retryAfterSeconds: retry_after_seconds,
    });
  }

  /** The answer for what is unknown, and for what is not the caller's where existence itself is private. */
  static notFound(what: string): ApplicationError {
    return new ApplicationError('NOT_FOUND', `${what} was not found.`);
  }

  /** A single invalid field. */
  static invalid(field: string, message: string): ApplicationError {
    return new ApplicationError('VALIDATION_FAILED', 'Some fields are invalid.', {
      errors: [{ field, message }],
    });
  }
}
