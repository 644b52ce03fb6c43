import { afterEach, describe, expect, test } from "@jest/globals";
import { type RunningScript, startScript } from "../../test/support/script.ts";
import { waitFor } from "../../test/support/wait-for.ts";

let running: RunningScript | undefined;
afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.exited;
});

async function watched(how: "loop" | "write"): Promise<RunningScript> {
  const script = new URL("../../test/support/hanging-process.ts", import.meta.url);
  running = startScript(script, { args: [how] });
  await running.line("watched");
  return running;
}

async function endOf(script: RunningScript): Promise<unknown> {
  let end: unknown;
  void script.exited.then((how) => {
    end = how;
  });
  return waitFor(() => end, { timeoutMs: 15_000, what: "the end of a process that hangs" });
}

describe("a process whose event loop does not come back is ended", () => {
  test("and says so, whatever becomes of its database", async () => {
    const script = await watched("loop");
    script.child.kill("SIGUSR2");
    expect(await endOf(script)).toBe("SIGKILL");
    expect(script.stderr()).toContain("its event loop was blocked for 300 ms");
  });

  test("when nobody reads its log any more", async () => {
    const script = await watched("loop");
    script.child.stderr?.destroy();
    script.child.kill("SIGUSR2");
    expect(await endOf(script)).toBe("SIGKILL");
  });

  test("when its log is full, which is what it waits for", async () => {
    const script = await watched("write");
    script.child.stderr?.pause();
    script.child.kill("SIGUSR2");
    expect(await endOf(script)).toBe("SIGKILL");
  });
});
