/**
 * No route answers. While bundles are still loading the page may yet appear, so it waits; a bundle that failed and whose menu
 * leads here is named; only then there is no such page.
 */
import type { ReactNode } from 'react';
import { useLocation, useNavigate } from 'react-router';
import { useText } from '../i18n/react';
import { ProblemCard } from '../loader/Boundary';
import { retry } from '../loader/load';
import { target } from '../loader/menus';
import type { BundleRecord, Snapshot } from '../loader/registry';
import { Button, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter, PageSection, Spinner } from '../ui';
import { SearchIcon } from '../ui/icons';

/** The failed bundle that this path belongs to: one of its entries leads here, or it carries the extension's name. */
export function ownerOf(records: Snapshot, pathname: string): BundleRecord | undefined {
  const first = pathname.split('/')[1] ?? '';
  return records.find(
    ({ state, entries, bundle }) =>
      state === 'failed' &&
      (bundle.extensionName === first || (entries ?? []).some((item) => target(item).href.split('/')[1] === first)),
  );
}

export function NotFound({ records }: { readonly records: Snapshot }): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const owner = ownerOf(records, pathname);
  if (owner)
    return (
      <ProblemCard
        record={owner}
        title={text('extensionNotLoaded', { name: owner.bundle.extensionName })}
        error={owner.error}
        onRetry={() => void retry(owner.bundle)}
      />
    );
  if (records.some(({ state }) => state === 'loading'))
    return (
      <PageSection isFilled isCenterAligned>
        <EmptyState titleText={text('loading')} headingLevel="h1" icon={Spinner} />
      </PageSection>
    );
  return (
    <PageSection isFilled>
      <EmptyState titleText={text('notFound')} headingLevel="h1" icon={SearchIcon}>
        <EmptyStateBody>{text('notFoundBody', { path: pathname })}</EmptyStateBody>
        <EmptyStateFooter>
          <EmptyStateActions>
            <Button onClick={() => void navigate('/dashboard')}>{text('toHome')}</Button>
          </EmptyStateActions>
        </EmptyStateFooter>
      </EmptyState>
    </PageSection>
  );
}
