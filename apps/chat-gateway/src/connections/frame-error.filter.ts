import { type ArgumentsHost, Catch } from '@nestjs/common';
import type { Connection } from '../delivery/connection.js';
import { FrameReader } from './frame-reader.js';
import { toFrameError } from '../frames/frame-error.js';

/** Turns whatever a handler throws into an `error` frame. */
@Catch()
export class FrameErrorFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    FrameReader.report(error);
    const { code, detail } = toFrameError(error);
    const client = host.switchToWs();
    const { client_id } = client.getData<{ client_id?: string }>();
    client.getClient<Connection>().send({ type: 'error', code, detail, client_id });
  }
}
