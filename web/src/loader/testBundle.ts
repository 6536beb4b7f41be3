/** A boot line for tests. */
import type { BootExtension } from '../api/boot';

export const bundleNamed = (name: string, more: Partial<BootExtension> = {}): BootExtension => ({
  name,
  extensionName: name,
  link: `/dist/${name}/index.js`,
  url: `/dist/${name}/index.js?sha256=1`,
  digest: 'sha256-1',
  integrity: '',
  resourceVersion: '1',
  ...more,
});
