/**
 * From a fresh clone with nothing but Node and npm to something that runs. Plain JavaScript without
 * dependencies: it runs before there are any. Whatever is there and current is left alone, so it
 * costs a second start some milliseconds; several processes may start at once.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, isBuilt } from "./build.mjs";
import { install, isInstalled } from "./install.mjs";
import { withSetupLock } from "./setup-lock.mjs";

const OLDEST_NODE = [20, 19];
const projectRoot = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * Installs and compiles what is missing. `development`: what tests need, too.
 * When something cannot be had, says so in one line and ends the process.
 */
export async function makeReady({ root = projectRoot, development = false } = {}) {
  try {
    checkNode(process.versions.node);
    if (isReady(root, development)) return;
    await withSetupLock(root, () => {
      // Whoever had the lock before may have done it all.
      if (!isInstalled(root, { development: development || !isBuilt(root) })) install(root);
      if (!isBuilt(root)) build(root);
    });
  } catch (error) {
    process.stderr.write(`heliograph: ${error.message}\n`);
    process.exit(1);
  }
}

/** A deployment may have dropped what only building needs, once it was built. */
function isReady(root, development) {
  return isBuilt(root) && isInstalled(root, { development });
}

/** @throws naming both versions when this Node is too old */
export function checkNode(version) {
  const [major, minor] = version.split(".").map(Number);
  const [oldMajor, oldMinor] = OLDEST_NODE;
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return;
  throw new Error(
    `this is Node ${version}, and ${OLDEST_NODE.join(".")} or newer is needed: see https://nodejs.org`,
  );
}
