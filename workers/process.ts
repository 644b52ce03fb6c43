import { type Logger, startWatchdog } from "../src/platform/index.ts";
import type { System } from "./system.ts";

/** A process has this long to stop; then it ends as it is, and the next one recovers. */
const STOP_WITHIN_MS = 9_500;

/**
 * Stops once on SIGTERM or SIGINT: no new work, finish or hand back what runs, exit 0. A second
 * signal, or a stop that takes too long, ends the process at once.
 */
export function stopOnSignal(log: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, "stopping");
    setTimeout(() => {
      log.error({}, "did not stop in time");
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    stop().then(
      () => process.exit(0),
      (error) => {
        log.error({ err: error }, "did not stop cleanly");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** Ends this process when its event loop does not come back; says then which jobs it was at. */
export async function watch({ config, jobs }: System): Promise<void> {
  if (config.databaseUrl === undefined) return;
  const watchdog = await startWatchdog({ worker: jobs.worker, databaseUrl: config.databaseUrl });
  jobs.onWork((text) => watchdog.note(text));
}
