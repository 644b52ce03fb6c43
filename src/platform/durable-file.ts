import { open, rename, rm } from "node:fs/promises";
import path from "node:path";

/** Writes a file readable by its owner only: complete and on disk, or not there at all. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const half = `${file}.half-made`;
  await rm(half, { force: true });
  const handle = await open(half, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(half, file);
  await syncFolder(path.dirname(file));
}

/** Makes a rename in `folder` survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
