import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";

/**
 * One process at a time installs and builds; the others wait. Both locks are the kernel's, so a
 * process that is killed in the middle holds up nobody. Linux: a name among abstract sockets, as in
 * src/platform/folder-lock.ts; macOS: open(2) with O_EXLOCK, which waits by itself.
 */
export async function withSetupLock(root, work) {
  const release = process.platform === "linux" ? await takeName(root) : await takeFile(root);
  try {
    return await work();
  } finally {
    await release();
  }
}

const LOOK_AGAIN_MS = 100;
const MACOS_O_EXLOCK = 0x20;

async function takeName(root) {
  const { dev, ino } = await stat(root, { bigint: true });
  for (;;) {
    const server = await listen(`\0heliograph-setup/${dev}/${ino}`);
    if (server !== undefined) return () => new Promise((resolve) => server.close(resolve));
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** Undefined when somebody else has the name. */
function listen(name) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server));
  });
}

async function takeFile(root) {
  const exclusive = process.platform === "darwin" ? MACOS_O_EXLOCK : 0;
  const flags = constants.O_RDONLY | exclusive;
  const handle = await open(path.join(root, "package.json"), flags);
  return () => handle.close();
}
