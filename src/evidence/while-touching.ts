import type { Vault } from "./vault.ts";

/** A store gives up what nobody touches (vault-rows.ts: an hour). */
export const TOUCH_MS = 60_000;

/**
 * Says that a file is still being written for as long as `work` takes: a slow sender, a scanner or a
 * store may take hours. That it cannot be said now is no matter; that it was given up is found by `keep`.
 */
export async function whileTouching<Result>(
  vault: Pick<Vault, "touch">,
  storedFileId: string,
  work: () => Promise<Result>,
  everyMs = TOUCH_MS,
): Promise<Result> {
  const timer = setInterval(() => void vault.touch(storedFileId).catch(() => {}), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
