import type { Device as DeviceFacts } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** What the request says about the device; behind trusted proxies the address of the client, not theirs. */
export const Device = createParamDecorator(
  (_: unknown, execution: ExecutionContext): DeviceFacts => {
    const { headers, ip } = execution.switchToHttp().getRequest<FastifyRequest>();
    return { user_agent: headers['user-agent']?.slice(0, 512) ?? '', ip };
  },
);
