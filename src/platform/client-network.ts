import { isIP, isIPv4, isIPv6 } from "node:net";

/**
 * The network a request comes from, for counting: the address itself of IPv4, the first 64 bits of
 * IPv6, since whoever has one address there has all of its network.
 *
 * `ip` is Express's: behind the proxies that are trusted (`trust proxy`), what they say the client's
 * address is; else the connection's own.
 */
export function clientNetwork(request: {
  ip?: string | undefined;
  socket: { remoteAddress?: string | undefined };
}): string {
  const named = withoutPort(request.ip ?? "");
  return networkOf(isIP(named) === 0 ? (request.socket.remoteAddress ?? "") : named);
}

/** Whether a proxy is believed about whom it speaks for; `hop`: 0 for the other end of the connection. */
export type TrustsProxy = (address: string, hop: number) => boolean;

/**
 * The client's address where there is no Express, and the same as its `request.ip`: the nearest one
 * that is not of a trusted proxy, from the connection's own through X-Forwarded-For from its end; the
 * farthest when all are. Undefined once the connection is gone.
 *
 * @param trusts Express's own (`app.get("trust proxy fn")`)
 */
export function clientAddress(
  request: {
    headers: NodeJS.Dict<string | string[]>;
    socket: { remoteAddress?: string | undefined };
  },
  trusts: TrustsProxy,
): string | undefined {
  let address = request.socket.remoteAddress;
  if (address === undefined || !trusts(address, 0)) return address;
  const forwarded = String(request.headers["x-forwarded-for"] ?? "").split(",");
  const named = forwarded.map((each) => each.trim()).filter((each) => each !== "");
  for (let hop = 1; named.length > 0; hop++) {
    address = named.pop() ?? address;
    if (!trusts(address, hop)) return address;
  }
  return address;
}

/** The network of an address: `192.0.2.1`, `2001:db8:0:1::/64`, or `unknown` for what is none. */
export function networkOf(address: string): string {
  const bare = address.replace(/%.*$/s, "");
  // As a server that listens on both has it: the common case, so the short way.
  const mapped = bare.startsWith("::ffff:") ? bare.slice(7) : bare;
  if (isIPv4(mapped)) return mapped;
  if (!isIPv6(bare)) return "unknown";
  const groups = groupsOf(bare);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) {
    const bytes = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
    return bytes.join(".");
  }
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(":")}::/64`;
}

/** Some proxies write the client's port beside its address. */
function withoutPort(address: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1] ?? address.replace(/^([\d.]+):\d+$/, "$1");
}

/** The eight groups of an IPv6 address, however it is written. */
function groupsOf(address: string): number[] {
  const hex = address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_all, ...bytes) =>
      `${pair(Number(bytes[0]), Number(bytes[1]))}:${pair(Number(bytes[2]), Number(bytes[3]))}`,
  );
  const [left = [], right] = hex.split("::").map((side) => (side === "" ? [] : side.split(":")));
  const zeros = right === undefined ? [] : Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...(right ?? [])].map((group) => Number.parseInt(group, 16));
}

const pair = (high: number, low: number) => ((high << 8) | low).toString(16);
