/** The extension centre: what is published, what is installed, and what can be done about it. */
import { useMemo, useState, type ReactNode } from 'react';
import { ApiError } from '../../api/http';
import { useText } from '../../i18n/react';
import {
  Button, Content, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter, Gallery, PageSection, SearchInput, Skeleton,
  Title, ToggleGroup, ToggleGroupItem, Toolbar, ToolbarContent, ToolbarItem,
} from '../../ui';
import { CubesIcon, LockIcon, SearchIcon } from '../../ui/icons';
import { matching } from './catalogue';
import { ExtensionCard } from './ExtensionCard';
import { useCatalogue, type CatalogueView } from './useCatalogue';

function Problem({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }): ReactNode {
  const text = useText();
  if (error instanceof ApiError && error.code === 403)
    return (
      <EmptyState titleText={text('noPermission')} headingLevel="h2" icon={LockIcon} data-testid="no-permission">
        <EmptyStateBody>{text('noPermissionBody')}</EmptyStateBody>
      </EmptyState>
    );
  return (
    <EmptyState titleText={text('loadFailed')} headingLevel="h2" status="danger">
      <EmptyStateBody>{error instanceof Error ? error.message : String(error)}</EmptyStateBody>
      <EmptyStateFooter>
        <EmptyStateActions><Button onClick={onRetry}>{text('retry')}</Button></EmptyStateActions>
      </EmptyStateFooter>
    </EmptyState>
  );
}

function Waiting(): ReactNode {
  const text = useText();
  return (
    <Gallery hasGutter minWidths={{ default: '320px' }}>
      {[0, 1, 2].map((key) => <Skeleton key={key} height="190px" screenreaderText={text('loading')} />)}
    </Gallery>
  );
}

function Catalogue({ view }: { readonly view: CatalogueView }): ReactNode {
  const text = useText();
  const [words, setWords] = useState('');
  const [category, setCategory] = useState<string | null>(null);
  const [installedOnly, setInstalledOnly] = useState(false);
  const items = useMemo(() => matching(view.items, words, category, installedOnly), [view, words, category, installedOnly]);
  if (view.items.length === 0)
    return (
      <EmptyState titleText={text('noExtensions')} headingLevel="h2" icon={CubesIcon}>
        <EmptyStateBody>{text('noExtensionsBody')}</EmptyStateBody>
      </EmptyState>
    );
  return (
    <>
      <Toolbar inset={{ default: 'insetNone' }}>
        <ToolbarContent>
          <ToolbarItem className="dt-search">
            <SearchInput aria-label={text('searchExtensions')} placeholder={text('searchExtensions')} value={words}
              onChange={(_, value) => setWords(value)} onClear={() => setWords('')} />
          </ToolbarItem>
          <ToolbarItem>
            <ToggleGroup aria-label={text('filterInstalled')}>
              <ToggleGroupItem text={`${text('allCategories')} ${view.items.length}`} isSelected={category === null && !installedOnly}
                onChange={() => { setCategory(null); setInstalledOnly(false); }} />
              <ToggleGroupItem text={text('filterInstalled')} isSelected={installedOnly} onChange={() => setInstalledOnly(!installedOnly)} />
              {view.categories.map(({ name, title, count }) => (
                <ToggleGroupItem key={name} text={`${title || text('otherCategory')} ${count}`} isSelected={category === name}
                  onChange={() => setCategory(category === name ? null : name)} />
              ))}
            </ToggleGroup>
          </ToolbarItem>
        </ToolbarContent>
      </Toolbar>
      {items.length === 0 ? (
        <EmptyState titleText={text('nothingFound')} headingLevel="h2" icon={SearchIcon}>
          <EmptyStateBody>{text('nothingFoundBody')}</EmptyStateBody>
        </EmptyState>
      ) : (
        <Gallery hasGutter minWidths={{ default: '320px' }}>
          {items.map((item) => <ExtensionCard key={item.name} item={item} />)}
        </Gallery>
      )}
    </>
  );
}

export function ExtensionCentre(): ReactNode {
  const text = useText();
  const { data, error, refetch } = useCatalogue();
  return (
    <>
      <PageSection>
        <Content>
          <Title headingLevel="h1">{text('extensionCentre')}</Title>
          <p>{text('extensionsIntro')}</p>
        </Content>
      </PageSection>
      <PageSection isFilled>
        {error !== null && data === undefined ? <Problem error={error} onRetry={() => void refetch()} /> : null}
        {error === null && data === undefined ? <Waiting /> : null}
        {data === undefined ? null : <Catalogue view={data} />}
      </PageSection>
    </>
  );
}
