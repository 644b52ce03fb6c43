/**
 * When a webhook delivery that failed is tried again (telegram-bot-api, WebhookActor): at once,
 * then after 2, 4, 8 … s, until that passes a cap drawn between 60 and 120 s.
 */

/**
 * @param failures how often this update has failed, this time included
 * @param retryAfterS the answer's `Retry-After`, if it was 0–3600; it wins
 * @param random in [0, 1)
 */
export function redeliveryDelayMs(
  failures: number,
  retryAfterS: number | undefined,
  random: number,
): number {
  if (retryAfterS !== undefined) return retryAfterS * 1000;
  if (failures <= 1) return 0;
  const capMs = 60_000 + Math.floor(random * 60_000);
  return Math.min(capMs, 1000 * 2 ** Math.min(failures - 1, 20));
}

/** Reads a `Retry-After` header: whole seconds from 0 to 3600, anything else counts as absent. */
export function retryAfterSeconds(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,4}$/.test(header.trim())) return undefined;
  const seconds = Number(header);
  return seconds <= 3600 ? seconds : undefined;
}
