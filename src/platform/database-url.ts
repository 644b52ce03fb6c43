import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * DATABASE_URL, checked before anybody connects with it, and with the words of TLS meaning what they
 * mean to psql. (The driver's own reading differs, and warns about it on stderr.)
 *
 *   disable      no TLS
 *   require      TLS; with sslrootcert the certificate is checked against it, else it is not
 *   verify-ca    TLS, certificate checked against sslrootcert
 *   verify-full  the same and the host's name, against sslrootcert or else the well-known authorities
 *   no-verify    TLS, nothing checked (the driver's own word)
 */
const SSL_MODES = ["disable", "require", "verify-ca", "verify-full", "no-verify"];

/**
 * Gives the connection string for the driver.
 *
 * @throws with what is wrong, never with the address itself: it may hold a password
 */
export function parseDatabaseUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Error("is not a URL (in a password, write @ as %40, / as %2F, # as %23, ? as %3F)");
  }
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    throw new Error("must begin with postgres:// or postgresql://");
  }
  const host = url.hostname || url.searchParams.get("host");
  if (host === null || host === "") throw new Error("names no host");
  if (url.pathname.length < 2) throw new Error("names no database");
  return withTls(url).toString();
}

function withTls(url: URL): URL {
  const parameters = url.searchParams;
  const mode = parameters.get("sslmode");
  if (mode === "prefer" || mode === "allow") {
    throw new Error(
      `has sslmode=${mode}, which leaves open whether TLS is used: say require, verify-ca, verify-full or disable`,
    );
  }
  if (mode !== null && !SSL_MODES.includes(mode)) {
    throw new Error(`has an sslmode that is none of ${SSL_MODES.join(", ")}`);
  }
  if (parameters.get("sslrootcert") === "system") {
    // The driver would read a file of this name; the well-known authorities are its default.
    parameters.delete("sslrootcert");
    if (mode !== "verify-full")
      throw new Error("has sslrootcert=system, which needs sslmode=verify-full");
  }
  const authority = parameters.get("sslrootcert");
  if (authority !== null) checkCertificate("sslrootcert", authority);
  const certificate = parameters.get("sslcert");
  if (certificate !== null) checkCertificate("sslcert", certificate);
  const key = parameters.get("sslkey");
  if (key !== null) readNamedFile("sslkey", key);
  if (mode === "verify-ca" && authority === null) {
    throw new Error("has sslmode=verify-ca, which needs sslrootcert");
  }
  if (mode !== null && mode !== "no-verify") parameters.set("uselibpqcompat", "true");
  return url;
}

function checkCertificate(parameter: string, file: string): void {
  const bytes = readNamedFile(parameter, file);
  try {
    new X509Certificate(bytes);
  } catch {
    throw new Error(`has ${parameter}=${file}, which holds no certificate in PEM form`);
  }
}

function readNamedFile(parameter: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`has ${parameter}=${file}, which cannot be read (${code})`);
  }
}
