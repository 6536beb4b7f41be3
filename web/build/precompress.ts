/**
 * Writes a .gz and a .br twin beside every text asset, once, at build time: the console server sends files as they lie
 * on the disk and never spends its single core on compression.
 */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const COMPRESSIBLE = /\.(js|css|html|svg|json)$/;
const WORTH_IT_FROM = 1024;
/** Brotli at its highest level takes seconds a megabyte; past this size a lower level is nearly as small. */
const SLOW_FROM = 1 << 20;

function* filesBelow(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

function compress(path: string): void {
  const content = readFileSync(path);
  if (content.length < WORTH_IT_FROM) return;
  const quality = content.length > SLOW_FROM ? 6 : 11;
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  writeFileSync(
    `${path}.br`,
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }),
  );
}

export function precompress(): Plugin {
  let folder = '';
  return {
    name: 'precompress',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle() {
      for (const path of filesBelow(folder)) if (COMPRESSIBLE.test(path)) compress(path);
    },
  };
}
