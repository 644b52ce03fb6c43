import { accessSync, constants } from "node:fs";
import path from "node:path";

/** The first of `names` that is an executable on PATH, with its folder; undefined when none is. */
export function findExecutable(...names: string[]): string | undefined {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
      if (folder === "") continue;
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // not in this folder
      }
    }
  }
  return undefined;
}

/** The Chromium of this machine, if it has one. */
export const findChromium = () => findExecutable("chromium", "chromium-browser", "google-chrome");

export const findRedisServer = () => findExecutable("redis-server");
