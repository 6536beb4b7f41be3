/** The console of a signed-in user: providers, live updates, and the routes of the console and of all loaded bundles. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, useEffect, useState, useSyncExternalStore, type ReactNode } from 'react';
import { BrowserRouter, Navigate, useRoutes } from 'react-router';
import type { Boot } from '../api/boot';
import { ApiError } from '../api/http';
import { language } from '../i18n';
import { useLanguage } from '../i18n/react';
import { publishGlobals } from '../loader/context';
import { synchronise } from '../loader/load';
import { registry } from '../loader/registry';
import { routeTable } from '../loader/routes';
import { prepare } from '../loader/system';
import { CATALOGUE_KEY } from '../pages/extensions/useCatalogue';
import { Home } from '../pages/Home';
import { NotFound } from '../pages/NotFound';
import { Shell } from '../shell/Shell';
import { follow } from './live';
import '@patternfly/react-core/dist/styles/base.css';
import './console.css';

const ExtensionCentre = lazy(async () => ({ default: (await import('../pages/extensions/ExtensionCentre')).ExtensionCentre }));
const Diagnostics = lazy(async () => ({ default: (await import('../pages/diagnostics/Diagnostics')).Diagnostics }));

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.code >= 400 && error.code < 500),
    },
  },
});

function Pages({ boot }: { readonly boot: Boot }): ReactNode {
  const records = useSyncExternalStore(registry.subscribe, registry.snapshot);
  const { routes } = routeTable(records);
  return useRoutes([
    {
      element: <Shell boot={boot} records={records} />,
      children: [
        { path: '/', element: <Navigate to="/dashboard" replace /> },
        { path: '/dashboard', element: <Home boot={boot} records={records} /> },
        { path: '/extensions', element: <ExtensionCentre /> },
        { path: '/diagnostics', element: <Diagnostics records={records} /> },
        ...routes,
        { path: '*', element: <NotFound records={records} /> },
      ],
    },
  ]);
}

export function Console({ boot: first }: { readonly boot: Boot }): ReactNode {
  const [boot, setBoot] = useState(first);
  const lang = useLanguage();
  useEffect(() => {
    publishGlobals(boot, language());
    prepare();
    synchronise(boot.extensions);
  }, [boot, lang]);
  useEffect(() => follow(first.token, queries, CATALOGUE_KEY, setBoot), [first]);
  return (
    <QueryClientProvider client={queries}>
      <BrowserRouter>
        <Pages boot={boot} />
      </BrowserRouter>
    </QueryClientProvider>
  );
}
