import { useEffect, useState } from "preact/hooks";

/**
 * Talks to the API of one workspace, with the key that was typed in. The key is kept for this tab alone,
 * until it is closed or forgotten. Failures are errors whose message is for the person at the page.
 */

const PLACE = "heliograph-key";
const listeners = new Set();

export const hasKey = () => sessionStorage.getItem(PLACE) !== null;

function changed() {
  for (const run of listeners) run(hasKey());
}

export function forgetKey() {
  sessionStorage.removeItem(PLACE);
  changed();
}

/** Keeps the key if the API takes it, for what this page asks. */
export async function keepKey(key) {
  await call("GET", "/v1/approvals?limit=1", { key });
  sessionStorage.setItem(PLACE, key);
  changed();
}

/** Whether there is a key, as it changes. */
export function useHasKey() {
  const [has, setHas] = useState(hasKey);
  useEffect(() => {
    listeners.add(setHas);
    return () => listeners.delete(setHas);
  }, []);
  return has;
}

export async function call(method, path, { body, key = sessionStorage.getItem(PLACE) } = {}) {
  const headers = { accept: "application/json", authorization: `Bearer ${key}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const request = { method, headers, cache: "no-store", body: JSON.stringify(body) };
  const response = await fetch(path, request).catch(() => {
    throw new Error("The server cannot be reached. Is it still running?");
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) forgetKey();
  const error = new Error(words(response.status, answer));
  error.status = response.status;
  throw error;
}

function words(status, { detail, errors }) {
  if (status === 401) return "This key is not valid, or not any more.";
  const faults = (errors ?? []).map(({ path, message }) => `${path}: ${message}`);
  return [detail ?? `The server answered ${status}.`, ...faults].join(" ");
}
