/** Asks once before an extension is taken away. */
import type { ReactNode } from 'react';
import { useText } from '../../i18n/react';
import { Button, Modal, ModalBody, ModalFooter, ModalHeader } from '../../ui';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly onConfirm: () => void;
}

export function UninstallDialog({ title, onClose, onConfirm }: Props): ReactNode {
  const text = useText();
  const question = text('uninstallTitle', { name: title });
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-label={question}>
      <ModalHeader title={question} titleIconVariant="warning" />
      <ModalBody>{text('uninstallBody')}</ModalBody>
      <ModalFooter>
        <Button variant="danger" onClick={onConfirm}>{text('uninstall')}</Button>
        <Button variant="link" onClick={onClose}>{text('cancel')}</Button>
      </ModalFooter>
    </Modal>
  );
}
