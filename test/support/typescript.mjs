/** `node --import <this file> something.ts`: runs TypeScript as it is, without a build. */
import { register } from "node:module";

register("./typescript-hooks.mjs", import.meta.url);
