/** The start page: what the extensions offer, and what needs attention. */
import type { ReactNode } from 'react';
import { Link, useNavigate } from 'react-router';
import type { Boot } from '../api/boot';
import { useText } from '../i18n/react';
import { ExtensionIcon } from '../loader/icons';
import { navEntries, type NavEntry } from '../loader/menus';
import type { Snapshot } from '../loader/registry';
import { Alert, Button, Card, CardBody, CardHeader, CardTitle, Content, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter, Gallery, PageSection, Title } from '../ui';
import { CubesIcon, ExternalLinkIcon } from '../ui/icons';

function EntryCard({ entry }: { readonly entry: NavEntry }): ReactNode {
  const navigate = useNavigate();
  const go = (): void => {
    if (entry.external) window.open(entry.href, '_blank', 'noopener');
    else void navigate(entry.href);
  };
  return (
    <Card isClickable isCompact className="dt-entry-card">
      <CardHeader selectableActions={{ onClickAction: go, selectableActionAriaLabel: entry.title, name: entry.id, selectableActionId: entry.id }}>
        <span className="dt-tile"><ExtensionIcon name={entry.icon} /></span>
        <CardTitle component="h3">
          {entry.title} {entry.external ? <ExternalLinkIcon /> : null}
        </CardTitle>
      </CardHeader>
      <CardBody>{entry.description || entry.extension}</CardBody>
    </Card>
  );
}

export function Home({ boot, records }: { readonly boot: Boot; readonly records: Snapshot }): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const entries = navEntries(records);
  const failed = records.filter(({ state }) => state === 'failed').length;
  return (
    <>
      <PageSection>
        <Content>
          <Title headingLevel="h1">{text('welcome', { name: boot.user.username })}</Title>
          <p>{text('homeIntro')}</p>
        </Content>
      </PageSection>
      {failed === 0 ? null : (
        <PageSection>
          <Alert isInline variant="warning" title={text('bundlesFailed', { count: failed })}>
            <Link to="/diagnostics">{text('showDiagnostics')}</Link>
          </Alert>
        </PageSection>
      )}
      <PageSection isFilled>
        {entries.length === 0 ? (
          <EmptyState titleText={text('noEntries')} headingLevel="h2" icon={CubesIcon}>
            <EmptyStateBody>{text('noEntriesBody')}</EmptyStateBody>
            <EmptyStateFooter>
              <EmptyStateActions>
                <Button onClick={() => void navigate('/extensions')}>{text('openCentre')}</Button>
              </EmptyStateActions>
            </EmptyStateFooter>
          </EmptyState>
        ) : (
          <>
            <Title headingLevel="h2" size="lg" className="dt-section-title">{text('yourExtensions')}</Title>
            <Gallery hasGutter minWidths={{ default: '260px' }}>
              {entries.map((entry) => <EntryCard key={entry.id} entry={entry} />)}
            </Gallery>
          </>
        )}
      </PageSection>
    </>
  );
}
