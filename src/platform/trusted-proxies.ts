import { isIP } from "node:net";

/** Names that Express has for networks of their kind. */
const NAMED = ["loopback", "linklocal", "uniquelocal"];

/**
 * Reads the proxies whose X-Forwarded-For is believed: addresses, networks (`10.0.0.0/8`) or
 * Express's names for some, with commas between them. The result is for Express's `trust proxy`.
 *
 * @throws with what is wrong, and never with more than its entry
 */
export function parseTrustedProxies(text: string): string[] {
  return text.split(",").map((part) => {
    const entry = part.trim();
    if (!NAMED.includes(entry) && !isNetwork(entry)) {
      const shown = JSON.stringify(entry.length > 60 ? `${entry.slice(0, 60)}…` : entry);
      throw new Error(
        `holds ${shown}: must be addresses or networks, with commas between them, or ${NAMED.join(", ")}`,
      );
    }
    return entry;
  });
}

/** Of a network, at least one bit is fixed: to believe everybody is to believe what anybody claims. */
function isNetwork(entry: string): boolean {
  const match = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(entry);
  if (match === null) return false;
  const [, address = "", bits] = match;
  const family = isIP(address);
  if (family === 0) return false;
  return bits === undefined || (Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128));
}
