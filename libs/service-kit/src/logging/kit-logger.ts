import { requestContext } from '@mentorhub/messaging/client';
import type { LoggerService } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Level, pino, type Logger as Pino } from 'pino';
import { redact, scrub } from './redact.js';

export interface LoggerSettings {
  /** Name of the app, on every line. */
  name: string;
  level: string;
  format: 'json' | 'pretty';
  /** Where lines go; default the standard output. */
  destination?: DestinationStream;
}

/** Nest's own report of what it wires up; interesting when it fails to. */
const wiringContexts = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'NestMicroservice',
  'RouterExplorer',
  'RoutesResolver',
  'WebSocketsController',
]);

function requestFields(): Record<string, unknown> {
  const context = requestContext.current();
  const span = trace.getActiveSpan()?.spanContext();
  return {
    request_id: context?.requestId,
    user_id: context?.caller?.user_id,
    trace_id: span?.traceId,
  };
}

async function openDestination(format: 'json' | 'pretty'): Promise<DestinationStream> {
  if (format === 'json') return pino.destination({ fd: 1, sync: false });
  // In this process and synchronous: a line is out before a crash, and no worker thread is needed.
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    sync: true,
    colorize: process.stdout.isTTY,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,service,context',
    messageFormat: (line, messageKey) => {
      const context = typeof line['context'] === 'string' ? `${line['context']}: ` : '';
      const message = line[messageKey];
      return `${context}${typeof message === 'string' ? message : ''}`;
    },
  });
}

/** Opens the log of a process. Lines carry the id of the request or event being handled, and no secrets. */
export async function openLogger(settings: LoggerSettings): Promise<KitLogger> {
  const destination = settings.destination ?? (await openDestination(settings.format));
  return new KitLogger(
    pino(
      {
        level: settings.level,
        base: { service: settings.name },
        timestamp: pino.stdTimeFunctions.isoTime,
        messageKey: 'msg',
        formatters: {
          level: (label) => ({ level: label }),
          log: (fields) => redact(fields) as Record<string, unknown>,
        },
        // `redact` above has made errors plain already.
        serializers: { err: (error: unknown) => error },
        mixin: requestFields,
        hooks: { streamWrite: scrub },
      },
      destination,
    ),
  );
}

/**
 * Nest's logger on pino. After the message may follow an error, an object whose members become fields of the line, and
 * the context that Nest's `Logger` adds: `logger.warn('Mail was refused.', error, { attempt: 2 })`.
 */
export class KitLogger implements LoggerService {
  constructor(private readonly sink: Pino) {}

  log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    this.write(
      typeof context === 'string' && wiringContexts.has(context) ? 'debug' : 'info',
      message,
      rest,
    );
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Writes out what is buffered; before the process ends. */
  flush(): void {
    this.sink.flush();
  }

  private write(level: Level, message: unknown, rest: readonly unknown[]): void {
    if (!this.sink.isLevelEnabled(level)) return;
    const fields: Record<string, unknown> = {};
    const texts: string[] = [];
    const add = (part: unknown): void => {
      if (part instanceof Error) fields['err'] = part;
      else if (typeof part === 'string') texts.push(part);
      else if (typeof part === 'object' && part !== null) Object.assign(fields, part);
      else if (part !== undefined) texts.push(JSON.stringify(redact(part)));
    };

    const last = rest.at(-1);
    const hasContext = typeof last === 'string' && !isStack(last);
    if (hasContext) fields['context'] = last;
    add(message);
    for (const part of hasContext ? rest.slice(0, -1) : rest) {
      // Nest passes the stack of an error beside its message.
      if (typeof part === 'string' && isStack(part)) fields['stack'] = part;
      else add(part);
    }
    const text = texts.join(' ') || (fields['err'] instanceof Error ? fields['err'].message : '');
    this.sink[level](fields, text);
  }
}

function isStack(text: string): boolean {
  return /\n\s+at /.test(text);
}
