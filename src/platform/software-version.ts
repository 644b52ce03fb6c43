import { readFileSync } from "node:fs";
import { projectFile } from "./project-root.ts";

/** The version of this project, as package.json has it. */
export const softwareVersion: string = (
  JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as { version: string }
).version;
