/** The gate of a sluice, half open. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="#0f766e" />
    <path d="M7 9h18M7 16h11M7 23h18" stroke="#fff" stroke-width="3" stroke-linecap="round" />
    <path d="M21.5 6v20" stroke="#99f6e4" stroke-width="3" stroke-linecap="round" />
  </svg>
);
