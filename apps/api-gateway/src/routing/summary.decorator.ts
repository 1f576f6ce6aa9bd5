import { ApiOperation } from '@nestjs/swagger';

/** What a route does, in one sentence; `details` is Markdown. */
export const Summary = (summary: string, details?: string): MethodDecorator =>
  ApiOperation({ summary, description: details });
