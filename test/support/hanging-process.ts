import { writeSync } from "node:fs";
import { startWatchdog } from "../../src/platform/index.ts";

/**
 * A watched process that does not come back once it gets SIGUSR2: `loop` for ever, or `write` to a
 * log until it is full, and on.
 */
const [how] = process.argv.slice(2);
process.once("SIGUSR2", () => {
  const much = "x".repeat(65_536);
  for (;;) {
    if (how !== "write") continue;
    try {
      writeSync(2, much);
    } catch {
      // Full: written on, as soon as there is room.
    }
  }
});
// Nobody is at that database: word cannot be left there.
const databaseUrl = "postgres://nobody@127.0.0.1:1/nothing";
await startWatchdog({ worker: "one", databaseUrl, blockedMs: 300 });
setInterval(() => {}, 60_000);
process.stdout.write("watched\n");
