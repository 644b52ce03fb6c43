/** Talks to the console's server. Failures are errors whose message is for the person at the page. */

const base = "/console/api";

/** Where to sign in, and to come back to this page. */
export function signIn() {
  location.assign(
    `/console/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`,
  );
}

async function reach(path, options) {
  const headers = { accept: "application/json", ...options?.headers };
  const response = await fetch(base + path, { ...options, headers }).catch(() => {
    throw new Error("The console's server cannot be reached. Is it still running?");
  });
  if (response.status === 401) signIn();
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error ?? `The server answered ${response.status}.`);
  return body;
}

export const get = (path) => reach(path);

export const post = (path, body = {}) =>
  reach(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
