/** The oracle as a process of its own. Argument: its options as JSON. Says its address, and ends when its parent does. */
import { startOracle } from "./server.ts";

const { url } = await startOracle(JSON.parse(process.argv[2]!));
process.on("disconnect", () => process.exit());
process.send!(url);
