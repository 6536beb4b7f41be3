/**
 * What pages of the older generation expect to find around them: a client for react-query 3, and the theme of their
 * component kit. Only pages of bundles that import these get them, and only once the module itself is there.
 */
import type { ComponentType, ReactNode } from 'react';
import { fetchedModule } from './system';

type Provider = ComponentType<{ readonly children: ReactNode }>;
type QueryModule = Pick<typeof import('react-query'), 'QueryClient' | 'QueryClientProvider'>;

let queryProvider: Provider | undefined;

/** One client for all older pages, as the console that they were written for had. */
function forQueries(): Provider | undefined {
  const module = fetchedModule('react-query') as QueryModule | undefined;
  if (queryProvider !== undefined || module === undefined) return queryProvider;
  const { QueryClient, QueryClientProvider } = module;
  const client = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false, retry: false } } });
  queryProvider = ({ children }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
  return queryProvider;
}

const forKit = (): Provider | undefined => fetchedModule('@kubed/components')?.KubedConfigProvider as Provider | undefined;

const PROVIDERS: Readonly<Record<string, () => Provider | undefined>> = {
  'react-query': forQueries,
  '@kubed/components': forKit,
};

interface Props {
  readonly dependencies: readonly string[];
  readonly children: ReactNode;
}

export function LegacyProviders({ dependencies, children }: Props): ReactNode {
  return Object.entries(PROVIDERS).reduce<ReactNode>((inner, [name, provider]) => {
    const Around = dependencies.includes(name) ? provider() : undefined;
    return Around === undefined ? inner : <Around>{inner}</Around>;
  }, children);
}
