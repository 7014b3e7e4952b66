// The fonts of the system: nothing is fetched from elsewhere, and nothing is heavier than it has to be.
export { default } from "vitepress/theme-without-fonts";
