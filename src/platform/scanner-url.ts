/** A virus scanner that files are streamed to: clamd, over TCP. */
export interface ScannerConfig {
  kind: "clamd";
  host: string;
  port: number;
}

const DEFAULT_PORT = 3310;

/**
 * Reads SCANNER_URL, `clamd://host:port`.
 *
 * @throws Error whose message says what is wrong with it
 */
export function parseScannerUrl(text: string): ScannerConfig {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== "clamd:" || url.hostname === "") {
    throw new Error("must be clamd://host:port");
  }
  const says = [url.username, url.password, url.search, url.hash, url.pathname.replace(/^\/$/, "")];
  if (says.some((part) => part !== "")) throw new Error("must name a host and a port only");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { kind: "clamd", host, port: url.port === "" ? DEFAULT_PORT : Number(url.port) };
}
