/**
 * When a webhook delivery that failed is tried again (telegram-bot-api, WebhookActor): at once,
 * then after 2, 4, 8 … s, until that passes a cap drawn between 60 and 120 s. Where the next try
 * would come after the update's end, there is none.
 */

/**
 * @param failures how often this update has failed, this time included
 * @param retryAfterS the answer's `Retry-After`; it wins unless it is 0, which is as good as none
 * @param random in [0, 1)
 */
export function redeliveryDelayMs(
  failures: number,
  retryAfterS: number | undefined,
  random: number,
): number {
  if (retryAfterS !== undefined && retryAfterS > 0) return retryAfterS * 1000;
  if (failures <= 1) return 0;
  const capMs = 60_000 + Math.floor(random * 60_000);
  return Math.min(capMs, 1000 * 2 ** Math.min(failures - 1, 20));
}

/** Reads a `Retry-After` header: whole seconds, at most an hour; anything else counts as absent. */
export function retryAfterSeconds(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header.trim())) return undefined;
  return Math.min(3600, Number(header));
}
