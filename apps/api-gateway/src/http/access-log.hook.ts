import { Logger } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';

/** One line per request. The address is logged without its query, which may hold a ticket or an address. */
export function addAccessLog(server: FastifyInstance): void {
  const logger = new Logger('Access');
  server.addHook('onResponse', (request, reply, done) => {
    const { id, method, routeOptions, context } = request;
    logger.log(`${method} ${loggedPath(request.url, routeOptions.url)}`, {
      request_id: id,
      user_id: context?.caller?.user_id,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
    });
    done();
  });
}

/** Anyone who knows the id of a checkout may pay it, so only its route is logged. */
function loggedPath(url: string, route = ''): string {
  return route.startsWith('/checkout/') ? route : url.split('?', 1)[0]!.slice(0, 512);
}
