import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { redocAssets, swaggerAssets } from './docs.pages.js';

const require = createRequire(import.meta.url);
const folderOf = (file: string): string => dirname(require.resolve(file));

/** Serves the files of Swagger UI and Redoc from their packages, so that the documentation needs no other host. */
export async function addViewerAssets(app: NestFastifyApplication): Promise<void> {
  const packages = [
    {
      prefix: swaggerAssets,
      root: folderOf('swagger-ui-dist/package.json'),
      files: ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'],
    },
    {
      prefix: redocAssets,
      root: join(folderOf('redoc/package.json'), 'bundles'),
      files: ['redoc.standalone.js'],
    },
  ];
  for (const { prefix, root, files } of packages) {
    await app.register(fastifyStatic, {
      root,
      prefix,
      decorateReply: false,
      index: false,
      maxAge: '1d',
      allowedPath: (path) => files.includes(path.replace(/^\//, '')),
    });
  }
}
