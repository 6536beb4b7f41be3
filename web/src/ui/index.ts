/**
 * The component kit, in one place: screens import from here, never from the kit itself, and bundles never get it
 * (a kit shared with extensions is what breaks them when the host is upgraded; reference: console.md 5.3, 5.4).
 */
export {
  Alert, AlertActionCloseButton, AlertActionLink, AlertGroup, Avatar, Badge, Button, Card, CardBody, CardFooter, CardHeader,
  CardTitle, CodeBlock, CodeBlockCode, Content, DescriptionList, DescriptionListDescription, DescriptionListGroup,
  DescriptionListTerm, Divider, Dropdown, DropdownGroup, DropdownItem, DropdownList, EmptyState, EmptyStateActions,
  EmptyStateBody, EmptyStateFooter, Flex, FlexItem, Form, FormGroup, FormSelect, FormSelectOption, Gallery, Label,
  LabelGroup, Masthead, MastheadBrand, MastheadContent, MastheadLogo, MastheadMain, MastheadToggle, MenuToggle, Modal,
  ModalBody, ModalFooter, ModalHeader, Nav, NavExpandable, NavGroup, NavItem, NavList, Page, PageSection, PageSidebar,
  PageSidebarBody, PageToggleButton, SearchInput, Skeleton, SkipToContent, Spinner, Title, ToggleGroup, ToggleGroupItem,
  Toolbar, ToolbarContent, ToolbarGroup, ToolbarItem, Tooltip,
} from '@patternfly/react-core';
export type { LabelProps } from '@patternfly/react-core';
