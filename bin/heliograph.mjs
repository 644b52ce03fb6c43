#!/usr/bin/env node
/**
 * What every command goes through: makes sure that what a fresh clone lacks is there (packages,
 * compiled code), then runs it in this very process, so that signals reach it.
 * `node bin/heliograph.mjs <command> …`; the commands are in workers/main.ts.
 */
import { makeReady } from "../scripts/ready.mjs";

await makeReady();
await import("../dist/workers/main.js");
