import { rm } from "node:fs/promises";
import { fromSetup, RUN_FOLDER } from "./run-environment.ts";
import { undoEverything } from "./teardown-list.ts";

/** Removes what the global setup made, and nothing else. */
export default async function tearDown(): Promise<void> {
  await undoEverything();
  await rm(fromSetup(RUN_FOLDER), { recursive: true, force: true });
}
