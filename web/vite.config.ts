import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { precompress } from './build/precompress.ts';
import { swaggerUi } from './build/swaggerUi.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [react(), swaggerUi(), precompress()],
  resolve: {
    // One React, one router, one styled-components in the page: two copies break every hook (reference: console.md 3.5).
    dedupe: ['react', 'react-dom', 'react-router', 'styled-components'],
  },
  build: {
    outDir: here('../src/dovetail/console/static'),
    emptyOutDir: true,
    target: 'es2023',
    // Small files become data: URLs only where the content security policy allows them (images), never scripts.
    assetsInlineLimit: 2048,
    modulePreload: { polyfill: false },
    // The lazy compat chunks (the component kit of older bundles) are large by nature and off the first screen's path.
    chunkSizeWarningLimit: 6000,
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ['/oauth', '/kapis', '/openapi', '/apis', '/api', '/console/api', '/dist', '/pstatic', '/proxy'].map((path) => [
        path,
        { target: process.env.DOVETAIL_GATEWAY ?? 'http://127.0.0.1:30880', changeOrigin: false },
      ]),
    ),
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    testTimeout: 20_000,
  },
});
