/**
 * REDIS_URL in its three forms:
 *
 *   redis://[[user]:password@]host[:port][/db]
 *   redis+sentinel://[[user]:password@]host[:port],host[:port]/master-name[/db][?sentinelPassword=…]
 *   redis+cluster://[[user]:password@]host[:port],host[:port]
 *
 * and the same with `rediss` for TLS.
 */

export interface RedisEndpoint {
  host: string;
  port: number;
}

interface RedisLogin {
  username?: string;
  password?: string;
  tls: boolean;
}

export type RedisConfig =
  | (RedisLogin & RedisEndpoint & { kind: "single"; db: number })
  | (RedisLogin & {
      kind: "sentinel";
      sentinels: RedisEndpoint[];
      /** Name of the master that the sentinels watch. */
      masterName: string;
      sentinelPassword?: string;
      db: number;
    })
  | (RedisLogin & { kind: "cluster"; nodes: RedisEndpoint[] });

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;
const SHAPE =
  /^(redis|rediss)(\+sentinel|\+cluster)?:\/\/(?:([^@/]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/;

/**
 * Reads a Redis address.
 *
 * @throws with what is wrong, never with the address itself: it may hold a password
 */
export function parseRedisUrl(url: string): RedisConfig {
  const match = SHAPE.exec(url);
  if (match === null) {
    throw new Error("must begin with redis://, rediss://, redis+sentinel:// or redis+cluster://");
  }
  const [, scheme, form = "", login = "", hosts = "", path = "", query = ""] = match;
  const common = { ...parseLogin(login), tls: scheme === "rediss" };
  const segments = path.split("/").slice(1).map(decode);
  const parameters = new URLSearchParams(query);

  if (form === "+cluster") {
    refuseRest(parameters, []);
    if (segments.some((segment) => segment !== "" && segment !== "0")) {
      throw new Error("names a database number, which a cluster does not have");
    }
    return { kind: "cluster", nodes: parseEndpoints(hosts, REDIS_PORT), ...common };
  }
  if (form === "+sentinel") {
    refuseRest(parameters, ["sentinelPassword"]);
    const [masterName = "", db] = segments;
    if (masterName === "") throw new Error("lacks the master's name after the sentinels");
    const sentinelPassword = parameters.get("sentinelPassword") ?? undefined;
    return {
      kind: "sentinel",
      sentinels: parseEndpoints(hosts, SENTINEL_PORT),
      masterName,
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
      db: parseDatabaseNumber(db),
      ...common,
    };
  }
  refuseRest(parameters, []);
  const endpoints = parseEndpoints(hosts, REDIS_PORT);
  const [endpoint] = endpoints;
  if (endpoint === undefined || endpoints.length > 1) {
    throw new Error("names several hosts: say redis+sentinel:// or redis+cluster://");
  }
  return { kind: "single", ...endpoint, db: parseDatabaseNumber(segments[0]), ...common };
}

function parseLogin(login: string): { username?: string; password?: string } {
  if (login === "") return {};
  const colon = login.indexOf(":");
  if (colon === -1) return { username: decode(login) };
  const username = decode(login.slice(0, colon));
  const password = decode(login.slice(colon + 1));
  return { ...(username === "" ? {} : { username }), ...(password === "" ? {} : { password }) };
}

function parseEndpoints(hosts: string, defaultPort: number): RedisEndpoint[] {
  return hosts.split(",").map((text) => {
    const match = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i.exec(text);
    if (match?.[1] === undefined) throw new Error("needs a host, or host:port, for each server");
    const port = match[2] === undefined ? defaultPort : Number(match[2]);
    if (port < 1 || port > 65_535) throw new Error("has a port outside 1 to 65535");
    return { host: match[1].replace(/^\[|\]$/g, ""), port };
  });
}

function parseDatabaseNumber(segment: string | undefined): number {
  if (segment === undefined || segment === "") return 0;
  if (!/^\d{1,5}$/.test(segment)) throw new Error("has a database that is not a number");
  return Number(segment);
}

function refuseRest(parameters: URLSearchParams, known: string[]): void {
  for (const name of parameters.keys()) {
    if (!known.includes(name))
      throw new Error(`has a parameter "${name.slice(0, 40)}" that is not known`);
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error("has a % that does not begin an escape: write it as %25");
  }
}
