/** Tables, apart from the rest of the kit: their style sheet is as large as that of ten other components. */
export { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
