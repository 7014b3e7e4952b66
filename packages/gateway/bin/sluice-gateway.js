#!/usr/bin/env node
// Says what is missing before anything is loaded that needs it.
const FLOOR = [22, 22, 3];
const version = process.versions.node.split(".").map(Number);
const place = FLOOR.findIndex((part, i) => version[i] !== part);
if (place !== -1 && version[place] < FLOOR[place]) {
  console.error(`sluice needs Node ${FLOOR.join(".")} or later, but this is Node ${process.versions.node}.`);
  process.exit(2);
}
await import("../dist/main.js");
