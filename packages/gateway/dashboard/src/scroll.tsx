import type { ComponentChildren } from "preact";

interface ScrollProps {
  /** The id of the title of what is in it. */
  readonly title: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** What is too large for its place: it scrolls, and can be reached by keyboard for that. */
export function Scroll({ title, class: more = "", children }: ScrollProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard.
    <section class={`scroll ${more}`.trim()} tabIndex={0} aria-labelledby={title}>
      {children}
    </section>
  );
}
