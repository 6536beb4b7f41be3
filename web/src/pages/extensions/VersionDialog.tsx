/** Choosing a version: to install, to upgrade, or to go back. The button says which of these it will be. */
import { useState, type ReactNode } from 'react';
import { useText } from '../../i18n/react';
import { Button, Form, FormGroup, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader } from '../../ui';
import type { CatalogueItem, VersionChoice } from './catalogue';
import { compareVersions } from './semver';

interface Props {
  readonly item: CatalogueItem;
  readonly title: string;
  readonly onClose: () => void;
  readonly onChoose: (version: string) => void;
}

export function VersionDialog({ item, title, onClose, onChoose }: Props): ReactNode {
  const text = useText();
  const current = item.installedVersion || (item.state === 'Available' ? '' : item.plannedVersion);
  const [version, setVersion] = useState(item.update || (current === '' ? item.recommendedVersion : current));
  const describe = (choice: VersionChoice): string => {
    const notes = [
      choice.version === current ? text('currentVersion') : '',
      choice.version === item.recommendedVersion ? text('recommendedVersion') : '',
      choice.kubeVersion === '' ? '' : text('minKubeVersion', { version: choice.kubeVersion }),
    ].filter(Boolean);
    return notes.length === 0 ? choice.version : `${choice.version} (${notes.join(', ')})`;
  };
  const direction = current === '' ? 0 : compareVersions(version, current);
  const verb = current === '' ? text('install') : direction < 0 ? text('downgrade', { version }) : text('upgradeTo', { version });
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-label={title}>
      <ModalHeader title={title} />
      <ModalBody>
        <Form onSubmit={(event) => { event.preventDefault(); onChoose(version); }}>
          <FormGroup label={text('version')} fieldId={`version-${item.name}`}>
            <FormSelect id={`version-${item.name}`} value={version} onChange={(_, value) => setVersion(value)} aria-label={text('version')}>
              {item.versions.map((choice) => <FormSelectOption key={choice.version} value={choice.version} label={describe(choice)} />)}
            </FormSelect>
          </FormGroup>
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button isDisabled={version === '' || version === current} onClick={() => onChoose(version)}>{verb}</Button>
        <Button variant="link" onClick={onClose}>{text('cancel')}</Button>
      </ModalFooter>
    </Modal>
  );
}
