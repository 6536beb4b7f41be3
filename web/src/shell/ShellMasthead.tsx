/** The bar at the top: name, live state, language and appearance, the user. */
import { useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import type { Boot } from '../api/boot';
import { logOut } from '../api/session';
import { useConnected } from '../console/live';
import { LANGUAGES, setLanguage } from '../i18n';
import { useLanguage, useText } from '../i18n/react';
import { Logo } from '../login/Logo';
import { setTheme, storedTheme, type Theme } from '../theme';
import {
  Divider, Dropdown, DropdownGroup, DropdownItem, DropdownList, Label, Masthead, MastheadBrand, MastheadContent, MastheadLogo,
  MastheadMain, MastheadToggle, MenuToggle, PageToggleButton, Toolbar, ToolbarContent, ToolbarGroup, ToolbarItem,
} from '../ui';
import { BarsIcon, CogIcon } from '../ui/icons';

const THEMES = [
  ['system', 'themeSystem'],
  ['light', 'themeLight'],
  ['dark', 'themeDark'],
] as const;

function SettingsMenu(): ReactNode {
  const text = useText();
  const current = useLanguage();
  const [open, setOpen] = useState(false);
  const [theme, setShownTheme] = useState<Theme>(storedTheme);
  const choose = (value: Theme): void => {
    setTheme(value);
    setShownTheme(value);
  };
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      popperProps={{ position: 'end' }}
      toggle={(ref) => (
        <MenuToggle ref={ref} variant="plain" aria-label={text('settingsMenu')} isExpanded={open} onClick={() => setOpen(!open)} icon={<CogIcon />} />
      )}
    >
      <DropdownGroup label={text('language')} labelHeadingLevel="h2">
        <DropdownList>
          {LANGUAGES.map(({ code, name }) => (
            <DropdownItem key={code} lang={code} isSelected={code === current} onClick={() => void setLanguage(code)}>
              {name}
            </DropdownItem>
          ))}
        </DropdownList>
      </DropdownGroup>
      <Divider />
      <DropdownGroup label={text('theme')} labelHeadingLevel="h2">
        <DropdownList>
          {THEMES.map(([value, key]) => (
            <DropdownItem key={value} isSelected={value === theme} onClick={() => choose(value)}>
              {text(key)}
            </DropdownItem>
          ))}
        </DropdownList>
      </DropdownGroup>
    </Dropdown>
  );
}

async function leave(): Promise<void> {
  await logOut();
  location.assign('/login');
}

function UserMenu({ name }: { readonly name: string }): ReactNode {
  const text = useText();
  const [open, setOpen] = useState(false);
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      popperProps={{ position: 'end' }}
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          aria-label={`${text('userMenu')}: ${name}`}
          isExpanded={open}
          onClick={() => setOpen(!open)}
          icon={<span className="dt-initial" aria-hidden="true">{name.slice(0, 1).toUpperCase()}</span>}
        >
          {name}
        </MenuToggle>
      )}
    >
      <DropdownList>
        <DropdownItem onClick={() => void leave()}>{text('logOut')}</DropdownItem>
      </DropdownList>
    </Dropdown>
  );
}

interface Props {
  readonly boot: Boot;
  readonly navOpen: boolean;
  readonly onToggleNav: () => void;
}

export function ShellMasthead({ boot, navOpen, onToggleNav }: Props): ReactNode {
  const text = useText();
  const connected = useConnected();
  return (
    <Masthead className="dt-masthead">
      <MastheadMain>
        <MastheadToggle>
          <PageToggleButton variant="plain" aria-label={text('toggleNav')} isSidebarOpen={navOpen} onSidebarToggle={onToggleNav}>
            <BarsIcon />
          </PageToggleButton>
        </MastheadToggle>
        <MastheadBrand>
          <MastheadLogo component={(props) => <Link {...props} to="/dashboard" />}>
            <span className="dt-brand">
              <Logo size={30} />
              {boot.config.title}
            </span>
          </MastheadLogo>
        </MastheadBrand>
      </MastheadMain>
      <MastheadContent>
        <Toolbar isStatic>
          <ToolbarContent>
            <ToolbarGroup variant="action-group-plain" align={{ default: 'alignEnd' }}>
              {connected ? null : (
                <ToolbarItem className="dt-offline">
                  <Label status="warning" variant="outline">{text('offline')}</Label>
                </ToolbarItem>
              )}
              <ToolbarItem><SettingsMenu /></ToolbarItem>
              <ToolbarItem><UserMenu name={boot.user.username} /></ToolbarItem>
            </ToolbarGroup>
          </ToolbarContent>
        </Toolbar>
      </MastheadContent>
    </Masthead>
  );
}
