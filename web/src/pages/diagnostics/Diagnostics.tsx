/** What became of each bundle in this browser, in words that an author can act on. */
import type { ReactNode } from 'react';
import { useText } from '../../i18n/react';
import { retry } from '../../loader/load';
import { hiddenMenus } from '../../loader/menus';
import type { BundleRecord, Snapshot } from '../../loader/registry';
import { routeTable } from '../../loader/routes';
import { providedModules } from '../../loader/shared';
import { Button, Content, EmptyState, EmptyStateBody, Label, LabelGroup, PageSection, Title } from '../../ui';
import { Table, Tbody, Td, Th, Thead, Tr } from '../../ui/table';
import { StethoscopeIcon } from '../../ui/icons';

const STATUS = { loading: 'info', loaded: 'success', failed: 'danger' } as const;
const STATE_TEXT = { loading: 'bundleLoading', loaded: 'bundleLoaded', failed: 'bundleFailed' } as const;

export function problemsOf(record: BundleRecord, refused: readonly string[]): string[] {
  return [
    ...(record.error === '' ? [] : [record.error]),
    ...record.missing.map((name) => `missing export: ${name}`),
    ...record.contribution.problems,
    ...refused,
    ...hiddenMenus(record.entries ?? record.contribution.menus),
  ];
}

function BundleRow({ record, refused }: { readonly record: BundleRecord; readonly refused: readonly string[] }): ReactNode {
  const text = useText();
  const { bundle, contribution } = record;
  const problems = problemsOf(record, refused);
  const menus = record.entries ?? contribution.menus;
  return (
    <Tr data-bundle={bundle.name}>
      <Td dataLabel={text('extension')}><strong>{bundle.extensionName}</strong></Td>
      <Td dataLabel={text('bundle')}>
        <code className="dt-small">{bundle.link || 'ExtensionEntry'}</code>
        <div className="dt-small dt-faint" title={bundle.digest}>{bundle.digest.slice(0, 19)}</div>
      </Td>
      <Td dataLabel={text('state')}><Label status={STATUS[record.state]}>{text(STATE_TEXT[record.state])}</Label></Td>
      <Td dataLabel={text('loadTime')} modifier="nowrap">{record.state === 'loading' ? '' : `${record.milliseconds} ms`}</Td>
      <Td dataLabel={text('contributes')}>
        <div>{text('nRoutes', { count: contribution.routes.length })}</div>
        <div>{text('nMenus', { count: menus.length })}</div>
      </Td>
      <Td dataLabel={text('problems')}>
        {problems.length === 0 ? <span className="dt-faint">{text('none')}</span> : (
          <ul className="dt-problems">{problems.map((problem) => <li key={problem}>{problem}</li>)}</ul>
        )}
        {record.state === 'failed' ? <Button variant="link" isInline onClick={() => void retry(bundle)}>{text('retry')}</Button> : null}
      </Td>
    </Tr>
  );
}

export function Diagnostics({ records }: { readonly records: Snapshot }): ReactNode {
  const text = useText();
  const { refused } = routeTable(records);
  return (
    <>
      <PageSection>
        <Content>
          <Title headingLevel="h1">{text('diagnostics')}</Title>
          <p>{text('diagnosticsIntro')}</p>
        </Content>
      </PageSection>
      <PageSection isFilled>
        {records.length === 0 ? (
          <EmptyState titleText={text('noBundles')} headingLevel="h2" icon={StethoscopeIcon}>
            <EmptyStateBody>{text('noBundlesBody')}</EmptyStateBody>
          </EmptyState>
        ) : (
          <Table aria-label={text('diagnostics')} variant="compact">
            <Thead>
              <Tr>
                <Th>{text('extension')}</Th><Th>{text('bundle')}</Th><Th>{text('state')}</Th><Th modifier="nowrap">{text('loadTime')}</Th>
                <Th>{text('contributes')}</Th><Th width={30}>{text('problems')}</Th>
              </Tr>
            </Thead>
            <Tbody>
              {records.map((record) => <BundleRow key={record.bundle.name} record={record} refused={refused.get(record.bundle.name) ?? []} />)}
            </Tbody>
          </Table>
        )}
        <div className="dt-modules">
          <LabelGroup categoryName={text('modulesProvided')} numLabels={20}>
            {providedModules().map((name) => <Label key={name} variant="outline" isCompact>{name}</Label>)}
          </LabelGroup>
        </div>
      </PageSection>
    </>
  );
}
