import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';

/**
 * Hands every error to `ServiceTransport` as it was thrown. Nest's own filter would turn all but `RpcException`, even
 * an `HttpException`, into "Internal server error".
 */
@Catch()
export class PassThroughFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}
