/** Modules that ship no types; nothing here reads inside them, they are only handed on to bundles. */
declare module 'styled-components';
