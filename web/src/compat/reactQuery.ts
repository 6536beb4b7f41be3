/** react-query 3 for older bundles: the real library in a chunk of its own (TanStack Query 5 dropped its signatures). */
export * from 'react-query';
