/**
 * Error boundaries: a page of an extension that throws becomes a card that says whose it is and what happened; the rest of
 * the console goes on. Going to another page clears it.
 */
import { Component, type ReactNode } from 'react';
import { useLocation } from 'react-router';
import { useText } from '../i18n/react';
import { Alert, AlertActionLink, CodeBlock, CodeBlockCode, PageSection } from '../ui';
import { LegacyProviders } from './LegacyProviders';
import type { BundleRecord } from './registry';

interface Props {
  readonly children: ReactNode;
  /** When this changes, an error that was caught before is forgotten. */
  readonly resetOn?: string;
  readonly fallback: (error: Error, reset: () => void) => ReactNode;
}

/** The plain mechanism: `fallback` instead of `children` once something below has thrown. */
export class Boundary extends Component<Props, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidUpdate(before: Props): void {
    if (before.resetOn !== this.props.resetOn && this.state.error !== null) this.reset();
  }

  private readonly reset = (): void => this.setState({ error: null });

  override render(): ReactNode {
    const { error } = this.state;
    return error === null ? this.props.children : this.props.fallback(error, this.reset);
  }
}

export function report(record: BundleRecord, error: string): string {
  const { bundle, missing, contribution } = record;
  return [
    `extension: ${bundle.extensionName}`,
    `bundle: ${bundle.name} ${bundle.digest}`,
    `page: ${location.pathname}`,
    `error: ${error}`,
    ...missing.map((name) => `missing export: ${name}`),
    ...contribution.problems.map((problem) => `problem: ${problem}`),
  ].join('\n');
}

interface CardProps {
  readonly record: BundleRecord;
  readonly title: string;
  readonly error: string;
  readonly onRetry: () => void;
}

export function ProblemCard({ record, title, error, onRetry }: CardProps): ReactNode {
  const text = useText();
  const details = report(record, error);
  return (
    <PageSection>
      <Alert
        isInline
        variant="danger"
        title={title}
        data-testid="extension-problem"
        actionLinks={
          <>
            <AlertActionLink onClick={onRetry}>{text('retry')}</AlertActionLink>
            <AlertActionLink onClick={() => void navigator.clipboard?.writeText(details)}>{text('copyReport')}</AlertActionLink>
          </>
        }
      >
        <p>{text('extensionCrashedBody')}</p>
        <CodeBlock className="dt-report">
          <CodeBlockCode>{details}</CodeBlockCode>
        </CodeBlock>
      </Alert>
    </PageSection>
  );
}

/** Around every route element of a bundle. A new location is a new attempt. */
export function ExtensionBoundary({ record, children }: { readonly record: BundleRecord; readonly children: ReactNode }): ReactNode {
  const text = useText();
  const { pathname } = useLocation();
  return (
    <Boundary
      resetOn={pathname}
      fallback={(error, reset) => (
        <ProblemCard
          record={record}
          title={text('extensionCrashed', { name: record.bundle.extensionName })}
          error={error.message}
          onRetry={reset}
        />
      )}
    >
      <LegacyProviders dependencies={record.dependencies}>{children}</LegacyProviders>
    </Boundary>
  );
}
