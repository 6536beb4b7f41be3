/** The frame of every page: masthead, navigation, content. */
import { Suspense, useEffect, useState, type ReactNode } from 'react';
import { Outlet, useLocation } from 'react-router';
import type { Boot } from '../api/boot';
import { useText } from '../i18n/react';
import type { Snapshot } from '../loader/registry';
import { EmptyState, Page, SkipToContent, Spinner } from '../ui';
import { ShellMasthead } from './ShellMasthead';
import { SideNav } from './SideNav';

const MAIN = 'dt-main';

/** From this width on the navigation stands beside the content; below it lies over it, until a page is chosen. */
const isWide = (): boolean => window.innerWidth >= 1200;

export function Shell({ boot, records }: { readonly boot: Boot; readonly records: Snapshot }): ReactNode {
  const text = useText();
  const { pathname } = useLocation();
  const [open, setOpen] = useState(isWide);
  useEffect(() => {
    if (!isWide()) setOpen(false);
  }, [pathname]);
  return (
    <Page
      masthead={<ShellMasthead boot={boot} navOpen={open} onToggleNav={() => setOpen(!open)} />}
      sidebar={<SideNav records={records} open={open} />}
      skipToContent={<SkipToContent href={`#${MAIN}`}>{text('skipToContent')}</SkipToContent>}
      mainContainerId={MAIN}
      isContentFilled
    >
      <Suspense fallback={<EmptyState titleText={text('loading')} headingLevel="h1" icon={Spinner} />}>
        <Outlet />
      </Suspense>
    </Page>
  );
}
