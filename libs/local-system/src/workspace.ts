import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the workspace this library is part of. */
export const workspaceRoot = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

export const serviceNames = [
  'identity',
  'mentorship',
  'chat',
  'notifications',
  'payments',
] as const;
export type ServiceName = (typeof serviceNames)[number];

export const gatewayNames = ['api-gateway', 'chat-gateway'] as const;
export type GatewayName = (typeof gatewayNames)[number];

export type AppName = ServiceName | GatewayName;
export const appNames: readonly AppName[] = [...serviceNames, ...gatewayNames];

/** Whether an app faces the world and so has a port of its own. */
export function isGateway(app: AppName): app is GatewayName {
  return gatewayNames.some((gateway) => gateway === app);
}

/** The file that an app is started with, after a build. */
export function mainFile(root: string, app: AppName): string {
  return join(root, 'apps', app, 'dist', 'main.js');
}

/** An app's name as part of a variable: `API_GATEWAY`. */
export function variablePart(app: AppName): string {
  return app.toUpperCase().replaceAll('-', '_');
}
