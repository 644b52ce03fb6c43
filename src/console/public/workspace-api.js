import { useEffect, useState } from "preact/hooks";

/**
 * Talks to the API of one workspace, with the key that was typed in. The tab keeps the key, which no other
 * tab of the browser reads. Failures are errors whose message is for the person at the page.
 */

const PLACE = "heliograph-key";
const listeners = new Set();
const keyNow = () => sessionStorage.getItem(PLACE);
/** Why there is no key any more. */
let why;

function keep(key, reason) {
  if (key === undefined) sessionStorage.removeItem(PLACE);
  else sessionStorage.setItem(PLACE, key);
  why = reason;
  for (const run of listeners) run({ isIn: keyNow() !== null, why });
}

export const forgetKey = () => keep(undefined);

/** Keeps the key if the API takes it. */
export async function keepKey(key) {
  // A header holds nothing else; and what is asked is no look at anybody's messages.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error(NOT_VALID);
  await call("GET", "/v1/connectors?limit=1", { key });
  keep(key);
}

/** Whether there is a key, as it changes, and why it went. */
export function useKey() {
  const [now, setNow] = useState({ isIn: keyNow() !== null, why });
  useEffect(() => {
    listeners.add(setNow);
    return () => listeners.delete(setNow);
  }, []);
  return now;
}

const NOT_VALID = "This key is not valid, or not any more.";

export async function call(method, path, { body, key = keyNow() } = {}) {
  const headers = { accept: "application/json", authorization: `Bearer ${key}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const request = { method, headers, cache: "no-store", body: JSON.stringify(body) };
  const response = await fetch(path, request).catch(() => {
    throw new Error("The server cannot be reached. Is it still running?");
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  // Not where the answer is about a key that was given up meanwhile.
  if (response.status === 401 && key === keyNow()) keep(undefined, NOT_VALID);
  const error = new Error(words(response.status, answer));
  error.status = response.status;
  throw error;
}

function words(status, { detail, errors }) {
  if (status === 401) return NOT_VALID;
  const faults = (errors ?? []).map(({ path, message }) => `${path}: ${message}`);
  return [detail ?? `The server answered ${status}.`, ...faults].join(" ");
}
