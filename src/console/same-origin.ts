import type { IncomingHttpHeaders } from "node:http";

/**
 * Whether one of our own pages makes this request. Beside SameSite=Strict on the cookie, which does
 * not hold back another port or subdomain of the same site. Browsers say where a request comes from
 * (Fetch Metadata: Sec-Fetch-Site); older ones send at least Origin with every POST. A request that
 * says neither is refused.
 */
export function isSameOrigin(headers: IncomingHttpHeaders): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin";
  const { origin, host } = headers;
  if (origin === undefined || host === undefined) return false;
  try {
    return new URL(origin).host === host.toLowerCase();
  } catch {
    return false;
  }
}
