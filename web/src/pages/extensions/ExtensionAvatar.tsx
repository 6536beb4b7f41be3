/** An extension's picture: its icon where the page may load it, else its initial on a colour of its own. */
import { useState, type ReactNode } from 'react';

/** The content security policy allows pictures of this site and data: URLs only; anything else would stay blank. */
export const isLoadable = (icon: string): boolean => /^(data:image\/|\/(?![/\\]))/.test(icon);

/** A steady hue from a name. */
export const hueOf = (name: string): number => [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);

export function ExtensionAvatar({ name, title, icon }: { readonly name: string; readonly title: string; readonly icon: string }): ReactNode {
  const [broken, setBroken] = useState(false);
  if (isLoadable(icon) && !broken) return <img className="dt-avatar" src={icon} alt="" onError={() => setBroken(true)} />;
  return (
    <span className="dt-avatar dt-avatar-letter" style={{ background: `hsl(${hueOf(name)} 38% 38%)` }} aria-hidden="true">
      {[...title][0]?.toUpperCase() ?? '?'}
    </span>
  );
}
