import { constants } from "node:fs";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import path from "node:path";

/**
 * One process a folder. The lock is the kernel's, not a file's: a file with a number in it outlives
 * a crash, and the number may be somebody else's when it is read.
 *
 * Linux: a socket in the abstract namespace, named after the folder's device and inode. Taking the
 * name is atomic, it is gone with the process, and every path to the folder leads to the same name.
 * The folder is held open as long as its name is taken: of one that was removed meanwhile the inode, and
 * with it the name, would be the next folder's.
 * Two containers that share the folder but not their network do not see each other's.
 *
 * macOS: a file opened with O_EXLOCK, which is flock(2).
 */
export interface FolderLock {
  /** Lets the next one in. Ending the process does the same. */
  release(): Promise<void>;
}

/** Another process works in this folder. */
export class FolderInUse extends Error {
  override name = "FolderInUse";
}

const MACOS_O_EXLOCK = 0x20;

/**
 * Takes the lock of `folder`, which is made when it is missing.
 *
 * @throws FolderInUse naming the process that has it
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true });
  const pidFile = path.join(folder, "heliograph.pid");
  const release = process.platform === "linux" ? await takeName(folder) : await takeFile(folder);
  if (release === undefined) throw new FolderInUse(await whoHasIt(folder, pidFile));
  try {
    // For people, and for the message of the second; the lock does not hang on it.
    await writeFile(pidFile, `${process.pid}\n`);
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

type Release = () => Promise<void>;

async function takeName(folder: string): Promise<Release | undefined> {
  const held = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const { dev, ino } = await held.stat({ bigint: true });
    const server = await listenAt(`\0heliograph/${dev}/${ino}`);
    if (server !== undefined) {
      return async () => {
        await new Promise((resolve) => server.close(resolve));
        await held.close();
      };
    }
  } catch (error) {
    await held.close();
    throw error;
  }
  await held.close();
  return undefined;
}

/** Undefined: somebody else does. */
async function listenAt(name: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen({ path: name, backlog: 1 }, () => resolve(true));
  });
  return taken ? server.unref() : undefined;
}

async function takeFile(folder: string): Promise<Release | undefined> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | MACOS_O_EXLOCK;
  try {
    const handle = await open(path.join(folder, "heliograph.lock"), flags, 0o600);
    return () => handle.close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN" || code === "EWOULDBLOCK") return undefined;
    throw error;
  }
}

async function whoHasIt(folder: string, pidFile: string): Promise<string> {
  const pid = (await readFile(pidFile, "utf8").catch(() => "")).trim();
  const who = /^\d+$/.test(pid) ? `process ${pid}` : "another process";
  return `Heliograph is already running in ${path.resolve(folder)} (${who}): stop it first, or start in another folder`;
}
