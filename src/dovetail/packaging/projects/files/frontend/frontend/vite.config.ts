import { defineConfig } from 'vite';

// One file in the System.register format that consoles load. What the console has already (its one React above all)
// stays outside of it.
export default defineConfig({
  logLevel: 'warn',
  build: {
    outDir: '../charts/frontend/files',
    emptyOutDir: false,
    target: 'es2022',
    copyPublicDir: false,
    minify: false, // what is installed can be read and compared; switch it on when the page grows
    rollupOptions: {
      input: 'src/index.tsx',
      external: [/^react(-dom|-router(-dom)?)?($|\/)/, 'styled-components'],
      preserveEntrySignatures: 'strict',
      output: { format: 'system', entryFileNames: 'index.js', inlineDynamicImports: true },
    },
  },
});
