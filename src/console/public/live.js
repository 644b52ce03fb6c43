import { useEffect, useState } from "preact/hooks";
import { get, signIn } from "./api.js";

/**
 * What the server tells by itself. Each event is a whole picture of its topic, so that one that is
 * missed while the connection is away does not matter. `paused` keeps the picture still for who
 * reads it; going on shows the newest at once.
 */
const state = { paused: false, connected: false, trouble: undefined, skewMs: 0 };
const pictures = new Map();
const listeners = new Set();
const hidden = new Map();

function notify() {
  for (const run of listeners) run();
}

function useChanges() {
  const [, setTick] = useState(0);
  useEffect(() => {
    const run = () => setTick((tick) => tick + 1);
    listeners.add(run);
    return () => listeners.delete(run);
  }, []);
}

export function useLiveState() {
  useChanges();
  return state;
}

export function setPaused(paused) {
  state.paused = paused;
  if (!paused) {
    for (const [name, data] of hidden) pictures.set(name, data);
    hidden.clear();
  }
  notify();
}

function show(name, picture) {
  (state.paused ? hidden : pictures).set(name, picture);
  notify();
}

/** The charts' columns, of which the server sends the past once and each moment as it comes. */
let columns = { at: [], queues: {} };
const MAX_POINTS = 450;

function startHistory(past) {
  columns = past;
  return columns;
}

function addToHistory({ atMs, point }) {
  const at = Math.round(atMs / 100) / 10;
  const last = columns.at.at(-1) ?? 0;
  if (at <= last) return columns;
  const from = columns.at.length >= MAX_POINTS ? 1 : 0;
  const added = (list, value) => [...(list ?? columns.at.map(() => null)).slice(from), value];
  columns = {
    at: [...columns.at.slice(from), at],
    queues: Object.fromEntries(
      Object.entries(point).map(([queue, figures]) => [
        queue,
        Object.fromEntries(
          Object.entries(figures).map(([name, value]) => [
            name,
            added(columns.queues[queue]?.[name], value),
          ]),
        ),
      ]),
    ),
  };
  return columns;
}

let source;
let topic;
let users = 0;

function open(name) {
  topic = name;
  source = new EventSource(`/console/api/events?topic=${name}`);
  source.onopen = () => {
    state.connected = true;
    notify();
  };
  source.onerror = () => {
    state.connected = false;
    notify();
    // Refused for good rather than lost: asking says why, and leads to the sign-in page.
    if (source?.readyState === EventSource.CLOSED) {
      const refused = source;
      get("/session").then(
        ({ endMs }) => endMs === null && signIn(),
        () => {},
      );
      setTimeout(() => refused === source && open(topic), 5_000);
    }
  };
  source.addEventListener("history", ({ data }) => show("history", startHistory(JSON.parse(data))));
  for (const event of ["queues", "processes", "bots"])
    source.addEventListener(event, ({ data }) => {
      const picture = JSON.parse(data);
      state.skewMs = picture.atMs - Date.now();
      state.connected = true;
      state.trouble = undefined;
      if (event === "queues") show("history", addToHistory(picture));
      show(event, picture);
    });
  source.addEventListener("trouble", ({ data }) => {
    state.trouble = JSON.parse(data).message;
    notify();
  });
}

/** Listens to a topic while the component is shown; answers the newest picture by its name. */
export function useTopic(name) {
  useChanges();
  useEffect(() => {
    users++;
    if (topic !== name) {
      source?.close();
      open(name);
    }
    return () => {
      users--;
      // The next page may listen to the same topic: it says so in this same turn.
      setTimeout(() => {
        if (users > 0 || source === undefined) return;
        source.close();
        source = undefined;
        topic = undefined;
      });
    };
  }, [name]);
  return pictures;
}

/** The server's time, each second: for ages and countdowns. Stands still while paused. */
export function useNow() {
  const now = () => Date.now() + state.skewMs;
  const [nowMs, setNow] = useState(now);
  useEffect(() => {
    const timer = setInterval(() => state.paused || setNow(now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
