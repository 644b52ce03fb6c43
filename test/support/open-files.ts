import { readdir, readlink } from "node:fs/promises";

const FDS = "/proc/self/fd";

/**
 * Files under a folder that this process has open, those that are removed by now too. Where the kernel
 * does not tell (macOS): none.
 */
export async function openFiles(folder: string): Promise<string[]> {
  const names = await readdir(FDS).catch(() => []);
  // One of them is the listing's own, which is closed by now.
  const files = await Promise.all(names.map((fd) => readlink(`${FDS}/${fd}`).catch(() => "")));
  return files.filter((file) => file.startsWith(`${folder}/`));
}
