import type { ReactNode } from 'react';

/** Two boards and the joint that holds them without glue. */
export function Logo({ size = 32 }: { readonly size?: number }): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M2 4h28v10h-7l3 8H6l3-8H2z" fill="var(--dt-amber)" />
      <path d="M2 28V16h3.8L3 24h26l-2.8-8H30v12z" fill="var(--dt-jade)" />
    </svg>
  );
}
