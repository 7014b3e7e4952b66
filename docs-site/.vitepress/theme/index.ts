// The fonts of the system: nothing is fetched from elsewhere, and nothing is heavier than it has to be.
import theme from "vitepress/theme-without-fonts";
import "./wide.css";

export default theme;
