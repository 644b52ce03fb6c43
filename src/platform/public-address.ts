import { BlockList, isIPv4, isIPv6 } from "node:net";

/** IPv4 networks that are nobody's on the Internet (IANA special-purpose registry), as `a/b`. */
const NOT_PUBLIC_V4 = [
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared by carriers (CGNAT), and clouds' own services
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local, and clouds' metadata
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
];

/**
 * Of IPv6 only global unicast is public: that leaves out loopback, link-local, unique local,
 * multicast, and IPv4 in disguise (mapped, compatible, NAT64).
 */
const GLOBAL_UNICAST_V6 = "2000::/3";
/** What within it is not. */
const NOT_PUBLIC_V6 = [
  "2001::/23", // protocol assignments, Teredo among them: IPv4 in disguise
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4: IPv4 in disguise
  "3fff::/20", // documentation
];

const notPublicV4 = listOf(NOT_PUBLIC_V4, "ipv4");
const globalV6 = listOf([GLOBAL_UNICAST_V6], "ipv6");
const notPublicV6 = listOf(NOT_PUBLIC_V6, "ipv6");

function listOf(networks: readonly string[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix = ""] = network.split("/");
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

/**
 * Whether an address is one that anybody on the Internet might reach, and so not one of this machine,
 * its network or its cloud. Without brackets; what is no address is not.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !notPublicV4.check(address, "ipv4");
  // With a zone (`%eth0`) it is local by its nature.
  if (!isIPv6(address) || address.includes("%")) return false;
  return globalV6.check(address, "ipv6") && !notPublicV6.check(address, "ipv6");
}
