import { runSandbox } from "./command.ts";

/** `node dist/sandbox/main.js`: the sandbox in a process of its own. */
await runSandbox(process.argv.slice(2));
