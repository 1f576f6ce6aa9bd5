import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { closeSoon } from './sockets.js';

it('closes a connection whose client has read the end and does not close its side', async () => {
  const server = createServer((socket) => {
    socket.write('the end');
    closeSoon(socket, 50);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => {
    client.destroy();
  });
  const read = new Promise<string>((resolve) => {
    let text = '';
    client.on('data', (chunk) => (text += chunk.toString()));
    client.once('end', () => resolve(text));
  });
  expect(await read).toBe('the end');
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  await expect.poll(connections).toBe(0);
});
