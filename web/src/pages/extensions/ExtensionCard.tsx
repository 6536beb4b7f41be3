/** One extension: what it is, how it stands, and the actions that make sense in its state. */
import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { changeVersion, install, setEnabled, uninstall } from '../../api/kubernetes';
import type { TextKey } from '../../i18n';
import { useText } from '../../i18n/react';
import {
  Alert, AlertActionCloseButton, Button, Card, CardBody, CardFooter, CardHeader, CardTitle, Dropdown, DropdownItem, DropdownList, Flex,
  FlexItem, Label, MenuToggle, Spinner, type LabelProps,
} from '../../ui';
import { EllipsisVIcon } from '../../ui/icons';
import { isBusy, isFailed, stateText, type CatalogueItem, type DisplayState } from './catalogue';
import { ExtensionAvatar } from './ExtensionAvatar';
import { UninstallDialog } from './UninstallDialog';
import { CATALOGUE_KEY } from './useCatalogue';
import { VersionDialog } from './VersionDialog';

type Dialog = 'none' | 'install' | 'version' | 'uninstall';

function status(state: DisplayState): LabelProps['status'] | undefined {
  if (isFailed(state)) return 'danger';
  if (isBusy(state)) return 'info';
  return state === 'Installed' ? 'success' : state === 'Disabled' ? 'warning' : undefined;
}

function StateLabel({ state }: { readonly state: DisplayState }): ReactNode {
  const text = useText();
  if (state === 'Available') return null;
  const icon = isBusy(state) ? { icon: <Spinner size="sm" aria-hidden="true" /> } : {};
  return <Label status={status(state)} data-state={state} {...icon}>{text(stateText(state))}</Label>;
}

interface ActionsProps {
  readonly item: CatalogueItem;
  readonly onDialog: (dialog: Dialog) => void;
  readonly onToggle: () => void;
}

function Actions({ item, onDialog, onToggle }: ActionsProps): ReactNode {
  const text = useText();
  const [open, setOpen] = useState(false);
  const act = (action: () => void) => (): void => {
    setOpen(false);
    action();
  };
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      popperProps={{ position: 'end' }}
      toggle={(ref) => (
        <MenuToggle ref={ref} variant="plain" aria-label={`${text('actions')}: ${item.title}`} isExpanded={open} onClick={() => setOpen(!open)} icon={<EllipsisVIcon />} />
      )}
    >
      <DropdownList>
        <DropdownItem onClick={act(onToggle)} isDisabled={item.state !== 'Installed' && item.state !== 'Disabled'}>
          {text(item.enabled ? 'disable' : 'enable')}
        </DropdownItem>
        <DropdownItem onClick={act(() => onDialog('version'))} isDisabled={item.versions.length < 2 || item.state === 'Uninstalling'}>
          {text('changeVersion')}
        </DropdownItem>
        <DropdownItem isDanger onClick={act(() => onDialog('uninstall'))} isDisabled={item.state === 'Uninstalling'}>{text('uninstall')}</DropdownItem>
      </DropdownList>
    </Dropdown>
  );
}

/** Runs a change; afterwards the lists are asked again, and a refusal becomes a sentence on the card. */
function useChange(item: CatalogueItem): { problem: string; clear: () => void; busy: boolean; run: (key: TextKey, change: () => Promise<unknown>) => Promise<void> } {
  const text = useText();
  const queries = useQueryClient();
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const run = async (key: TextKey, change: () => Promise<unknown>): Promise<void> => {
    setBusy(true);
    setProblem('');
    try {
      await change();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      setProblem(`${text('actionFailed', { action: text(key), name: item.title })}: ${reason}`);
    }
    await queries.invalidateQueries({ queryKey: [CATALOGUE_KEY] });
    setBusy(false);
  };
  return { problem, clear: () => setProblem(''), busy, run };
}

export function ExtensionCard({ item }: { readonly item: CatalogueItem }): ReactNode {
  const text = useText();
  const [dialog, setDialog] = useState<Dialog>('none');
  const { problem, clear, busy, run } = useChange(item);
  const close = (): void => setDialog('none');
  const planned = item.state !== 'Available';
  return (
    <Card className="dt-extension" data-extension={item.name}>
      <CardHeader
        {...(planned ? { actions: { actions: (
          <Actions item={item} onDialog={setDialog} onToggle={() => void run(item.enabled ? 'disable' : 'enable', () => setEnabled(item.name, !item.enabled))} />
        ) } } : {})}
      >
        <Flex alignItems={{ default: 'alignItemsCenter' }} flexWrap={{ default: 'nowrap' }}>
          <FlexItem><ExtensionAvatar name={item.name} title={item.title} icon={item.icon} /></FlexItem>
          <FlexItem className="dt-shrink">
            <CardTitle component="h2">{item.title}</CardTitle>
            <div className="dt-small dt-faint">{item.provider === '' ? item.name : text('by', { name: item.provider })}</div>
          </FlexItem>
        </Flex>
      </CardHeader>
      <CardBody>
        <p className="dt-description">{item.description}</p>
        {item.message === '' ? null : (
          <Alert isInline isPlain variant={isFailed(item.state) ? 'danger' : 'info'} title={item.message} className="dt-message" />
        )}
        {problem === '' ? null : (
          <Alert isInline variant="danger" title={problem} actionClose={<AlertActionCloseButton aria-label={text('close')} onClose={clear} />} />
        )}
      </CardBody>
      <CardFooter>
        <div className="dt-footer">
          <StateLabel state={item.state} />
          <span className="dt-small dt-faint">{item.installedVersion || item.plannedVersion || item.recommendedVersion}</span>
          <span>
            {item.state === 'Available' ? (
              <Button variant="secondary" size="sm" isDisabled={item.versions.length === 0 || busy} onClick={() => setDialog('install')}
                aria-label={`${text('install')}: ${item.title}`}>
                {text('install')}
              </Button>
            ) : item.update !== '' && !isBusy(item.state) ? (
              <Button variant="secondary" size="sm" isDisabled={busy} onClick={() => setDialog('version')} title={text('updateAvailable', { version: item.update })}>{text('upgrade')}</Button>
            ) : null}
          </span>
        </div>
      </CardFooter>
      {dialog === 'install' ? (
        <VersionDialog item={item} title={text('installTitle', { name: item.title })} onClose={close}
          onChoose={(version) => { close(); void run('install', () => install(item.name, version)); }} />
      ) : null}
      {dialog === 'version' ? (
        <VersionDialog item={item} title={text('changeVersionTitle', { name: item.title })} onClose={close}
          onChoose={(version) => { close(); void run('changeVersion', () => changeVersion(item.name, version)); }} />
      ) : null}
      {dialog === 'uninstall' ? (
        <UninstallDialog title={item.title} onClose={close} onConfirm={() => { close(); void run('uninstall', () => uninstall(item.name)); }} />
      ) : null}
    </Card>
  );
}
