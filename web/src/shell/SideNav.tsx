/** The navigation: the platform's own pages, then what the extensions added. A broken item never breaks its neighbours. */
import { type ReactNode } from 'react';
import { NavLink, useLocation } from 'react-router';
import type { TextKey } from '../i18n';
import { useText } from '../i18n/react';
import { Boundary } from '../loader/Boundary';
import { ExtensionIcon } from '../loader/icons';
import { navEntries, type NavEntry } from '../loader/menus';
import type { Snapshot } from '../loader/registry';
import { Nav, NavExpandable, NavGroup, NavItem, NavList, PageSidebar, PageSidebarBody } from '../ui';
import { CubesIcon, ExternalLinkIcon, HomeIcon, StethoscopeIcon } from '../ui/icons';

const PLATFORM: readonly { path: string; key: TextKey; icon: ReactNode }[] = [
  { path: '/dashboard', key: 'home', icon: <HomeIcon /> },
  { path: '/extensions', key: 'extensionCentre', icon: <CubesIcon /> },
  { path: '/diagnostics', key: 'diagnostics', icon: <StethoscopeIcon /> },
];

const isAt = (pathname: string, href: string): boolean => pathname === href || pathname.startsWith(`${href}/`);

const NavIcon = ({ children }: { readonly children: ReactNode }): ReactNode => <span className="dt-nav-icon" aria-hidden="true">{children}</span>;

function EntryLink({ entry }: { readonly entry: NavEntry }): ReactNode {
  const text = useText();
  const { pathname } = useLocation();
  if (entry.external)
    return (
      <NavItem>
        <a href={entry.href} target="_blank" rel="noopener noreferrer" aria-label={`${entry.title} (${text('opensNewTab')})`}>
          <NavIcon><ExtensionIcon name={entry.icon} /></NavIcon>
          {entry.title}
          <span className="dt-nav-external"><ExternalLinkIcon /></span>
        </a>
      </NavItem>
    );
  return (
    <NavItem isActive={isAt(pathname, entry.href)}>
      <NavLink to={entry.href} title={entry.description || undefined} data-entry={entry.id}>
        <NavIcon><ExtensionIcon name={entry.icon} /></NavIcon>
        {entry.title}
      </NavLink>
    </NavItem>
  );
}

function Entry({ entry }: { readonly entry: NavEntry }): ReactNode {
  const { pathname } = useLocation();
  if (entry.children.length === 0) return <EntryLink entry={entry} />;
  const active = entry.children.some(({ href }) => isAt(pathname, href));
  return (
    <NavExpandable title={entry.title} isActive={active} isExpanded={active}>
      {entry.children.map((child) => <EntryLink key={child.id} entry={child} />)}
    </NavExpandable>
  );
}

export function SideNav({ records, open }: { readonly records: Snapshot; readonly open: boolean }): ReactNode {
  const text = useText();
  const { pathname } = useLocation();
  const entries = navEntries(records);
  return (
    <PageSidebar isSidebarOpen={open}>
      <PageSidebarBody>
        <Nav aria-label={text('navPlatform')}>
          <NavList>
            {PLATFORM.map(({ path, key, icon }) => (
              <NavItem key={path} isActive={isAt(pathname, path)}>
                <NavLink to={path}><NavIcon>{icon}</NavIcon>{text(key)}</NavLink>
              </NavItem>
            ))}
          </NavList>
          {entries.length === 0 ? null : (
            <NavGroup title={text('navExtensions')}>
              {entries.map((entry) => (
                <Boundary key={entry.id} fallback={() => null}><Entry entry={entry} /></Boundary>
              ))}
            </NavGroup>
          )}
        </Nav>
      </PageSidebarBody>
    </PageSidebar>
  );
}
