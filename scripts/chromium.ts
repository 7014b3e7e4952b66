import { program } from "./program.ts";

/** How tests start it: by itself, with nothing that talks to anybody. */
export const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * The browser that the tests of the live page run: what CHROMIUM names, or Chromium or Chrome from where they usually are.
 *
 * @throws Error that says how to install one
 */
export const chromium = (): string =>
  process.env.CHROMIUM ||
  program({
    names: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"],
    elsewhere: [
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
      "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    ],
    debian: "chromium",
    who: "The tests of the live page",
    install: {
      Debian: "sudo apt-get install chromium",
      Ubuntu: "sudo snap install chromium",
      Fedora: "sudo dnf install chromium",
      Alpine: "sudo apk add chromium",
      macOS: "brew install --cask chromium",
      "somewhere else": "say where it is in the variable CHROMIUM",
    },
  });
