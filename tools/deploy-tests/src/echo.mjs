import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

/*
 * Stands in for both gateways, to see what the edge makes of requests: it answers with what it was sent. Below /silent it
 * never answers; WebSockets get back every byte.
 */
const name = process.env.ECHO;
const server = createServer((request, response) => {
  if (request.url.startsWith('/silent')) return;
  let bytes = 0;
  request.on('data', (part) => (bytes += part.length));
  request.on('end', () => {
    const { method, url, headers } = request;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name, method, url, headers, bytes }));
  });
});
server.on('upgrade', (request, socket) => {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nX-Echo: ${name}\r\n\r\n`,
  );
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(Number(process.env.PORT));
