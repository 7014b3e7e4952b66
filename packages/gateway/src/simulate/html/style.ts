import { html } from "./markup.ts";

/** Colours differ in lightness, too, so that charts can be read without seeing colours. */
export const STYLE = html`
:root { --page: #fff; --text: #1b1f24; --faint: #59636e; --line: #d8dee4; --box: #f6f8fa; --passed: #b6c8dc; --refused: #c2410c; --before: #1b1f24; --better: #116329; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1117; --text: #e6edf3; --faint: #9198a1; --line: #30363d; --box: #161b22; --passed: #33475c; --refused: #fb923c; --before: #e6edf3; --better: #56d364; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 0.4rem; }
header p, section > p { margin: 0.2rem 0 0.6rem; color: var(--faint); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 0.6rem; margin: 1rem 0 0; }
.tiles div { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: 0.6rem 0.8rem; }
dt, small { color: var(--faint); font-size: 0.85rem; }
dd { margin: 0; }
dd b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 12px; }
.grid { stroke: var(--line); }
.passed { fill: var(--passed); background: var(--passed); }
.refused { fill: var(--refused); background: var(--refused); }
path.before { fill: none; stroke: var(--before); stroke-width: 2; }
.key { display: inline-block; width: 0.8rem; height: 0.8rem; margin: 0 0.3rem 0 0.8rem; }
.key.before { height: 2px; background: var(--before); vertical-align: middle; }
.share { width: 8rem; height: 0.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td:last-child { white-space: normal; }
th { color: var(--faint); font-weight: 600; font-size: 0.85rem; }
.number { text-align: right; }
.worse { color: var(--refused); }
.better { color: var(--better); }
code { font: 0.9em ui-monospace, monospace; }
`;
