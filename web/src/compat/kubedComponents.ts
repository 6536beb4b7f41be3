/** The component kit of older bundles: the real MIT-licensed package, in a chunk that only they load. */
export * from '@kubed/components';
