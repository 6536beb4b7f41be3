/** The four lists behind the extension centre; asked again when the event stream says so, or every few seconds without it. */
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { list, type Category, type Extension, type ExtensionVersion, type InstallPlan } from '../../api/kubernetes';
import { useLanguage } from '../../i18n/react';
import { useConnected } from '../../console/live';
import { catalogue, categories, type CatalogueItem, type CategoryChoice } from './catalogue';

export const CATALOGUE_KEY = 'catalogue';
const POLL_MS = 5_000;

export interface CatalogueView {
  readonly items: readonly CatalogueItem[];
  readonly categories: readonly CategoryChoice[];
}

interface Lists {
  readonly extensions: Extension[];
  readonly versions: ExtensionVersion[];
  readonly plans: InstallPlan[];
  readonly categories: Category[];
}

async function fetchLists(): Promise<Lists> {
  const [extensions, versions, plans, known] = await Promise.all([
    list<Extension>('extensions'),
    list<ExtensionVersion>('extensionversions'),
    list<InstallPlan>('installplans'),
    list<Category>('categories').catch(() => []),
  ]);
  return { extensions, versions, plans, categories: known };
}

export function useCatalogue(): UseQueryResult<CatalogueView> {
  const language = useLanguage();
  const connected = useConnected();
  return useQuery({
    queryKey: [CATALOGUE_KEY],
    queryFn: fetchLists,
    refetchInterval: connected ? false : POLL_MS,
    select: (lists): CatalogueView => {
      const items = catalogue(lists.extensions, lists.versions, lists.plans, language);
      return { items, categories: categories(items, lists.categories, language) };
    },
  });
}
