/**
 * Puts Swagger UI, as its authors publish it, beside our own page for it (public/swagger-ui), with its licence.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

const FILES = [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'swagger-ui-standalone-preset.js',
  'swagger-ui-standalone-preset.js.LICENSE.txt',
  'LICENSE',
  'NOTICE',
];

export function swaggerUi(): Plugin {
  let folder = '';
  return {
    name: 'swagger-ui',
    apply: 'build',
    configResolved(config) {
      folder = join(config.build.outDir, 'swagger-ui');
    },
    writeBundle() {
      const source = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
      mkdirSync(folder, { recursive: true });
      for (const name of FILES) copyFileSync(join(source, name), join(folder, name));
    },
  };
}
