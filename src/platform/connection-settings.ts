/**
 * The startup parameter `options` of a connection: settings that hold for its whole life. What the
 * connection string brings is kept (some hosts tell by it which database is meant).
 */
export interface ConnectionSettings {
  connectionString: string;
  options: string;
}

/**
 * Splits `options` off a connection string, since the driver would let it take the place of ours.
 * `first` may be overruled by what the string says, `last` may not; each like `-c name=value`.
 */
export function connectionSettings(
  url: string,
  { first = "", last = "" }: { first?: string; last?: string },
): ConnectionSettings {
  let connectionString = url;
  let given = "";
  if (/[?&]options=/.test(url)) {
    const parsed = new URL(url);
    given = parsed.searchParams.get("options") ?? "";
    parsed.searchParams.delete("options");
    connectionString = parsed.toString();
  }
  const options = [first, given, last].filter((part) => part !== "").join(" ");
  return { connectionString, options };
}
