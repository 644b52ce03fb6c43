import { waitFor } from "../wait-for.ts";
import type { Bot } from "./bots.ts";
import type { SecrecyWorld } from "./world.ts";

/** What those look at who run the installation: every page, every figure, every list. */

const PAGES = [
  ...["/console", "/console/jobs", "/console/bots", "/console/processes", "/console/nowhere"],
  ...["/console/api/session", "/console/api/jobs", "/console/api/nothing"],
  ...["/console/queues", "/console/queues/api/queues"],
];
const OPEN_PAGES = ["/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/nowhere"];

/** Signs in to the console, with wrong tokens first; gives the session's cookie. */
async function signIn({ call, adminToken, hide }: SecrecyWorld): Promise<string> {
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "sec-fetch-site": "same-origin",
  };
  const enter = (token: string) =>
    call("POST", "/console/sign-in", {
      key: null,
      headers,
      body: new URLSearchParams({ token, next: "/console" }).toString(),
    });
  await enter(`${adminToken}x`);
  await enter("");
  const { headers: answered } = await enter(adminToken);
  const cookie = answered.get("set-cookie")?.split(";")[0] ?? "";
  hide("secret", "a session of the console", cookie.split("=")[1] ?? "");
  return cookie;
}

/** The first events of a stream that would go on for ever. */
async function readEvents(world: SecrecyWorld, topic: string, cookie: string): Promise<void> {
  const response = await fetch(`${world.url}/console/api/events?topic=${topic}`, {
    headers: { cookie, accept: "text/event-stream" },
  });
  const reader = response.body?.getReader();
  let text = "";
  await waitFor(
    async () => {
      const { value } = (await reader?.read()) ?? {};
      if (value !== undefined) text += Buffer.from(value).toString("utf8");
      return /\nevent: .*\n\n$/s.test(text);
    },
    { what: `events of ${topic}` },
  );
  await reader?.cancel();
  world.heard(text);
}

export async function look(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { call, adminToken } = world;
  for (const path of OPEN_PAGES) await call("GET", path, { key: null });
  for (const key of [undefined, null, `${adminToken}x`]) {
    await call("GET", "/api/integrations/telegram/health", key === undefined ? {} : { key });
  }
  const cookie = await signIn(world);
  const jobs = await call("GET", "/v1/jobs?limit=200");
  const { data } = jobs.json as { data: { id: string; state: string }[] };
  const dead = data.filter(({ state }) => state === "discarded");
  const some = [...dead.slice(0, 5), ...data.slice(0, 5)].map(({ id }) => id);
  for (const sent of [cookie, ""]) {
    const asPage = { key: null, headers: { accept: "text/html", cookie: sent } };
    for (const path of PAGES) await call("GET", path, asPage);
    for (const id of some) await call("GET", `/console/api/jobs/${id}`, asPage);
  }
  for (const topic of ["queues", "processes", "bots"]) await readEvents(world, topic, cookie);
  for (const id of some) await call("GET", `/v1/jobs/${id}`);
  for (const query of [`q=${world.phone}`, `lane=${bot.connectorId}`, "state=discarded"]) {
    await call("GET", `/v1/jobs?${query}`);
  }
  await call("GET", "/v1/queues");
  for (const action of ["pause", "resume"]) {
    await call("POST", `/v1/queues/evidence/${action}`, { key: adminToken, body: {} });
  }
  for (const action of ["retry", "run-now", "cancel", "discard"]) {
    await call("POST", `/v1/jobs/${some[0]}/${action}`, { body: {} });
    const body = { q: world.phone, dryRun: true };
    await call("POST", `/v1/jobs/${action}`, { body });
    await call("POST", `/console/api/jobs/${action}`, {
      key: null,
      headers: { cookie, "sec-fetch-site": "same-origin" },
      body: { filter: { q: world.phone }, dryRun: true },
    });
  }
  await call("GET", "/v1/audit?limit=200");
  await call("GET", "/v1/audit?limit=200", { key: adminToken });
  await call("POST", "/console/sign-out", {
    key: null,
    headers: { cookie, "sec-fetch-site": "same-origin" },
    body: "{}",
  });
}

/** The same from a terminal. */
export async function lookFromTerminal({ cli, database }: SecrecyWorld): Promise<void> {
  const [job] = await database.db.query<{ id: string }>("SELECT id::text FROM jobs LIMIT 1");
  await Promise.all([
    cli(["jobs", "list", "--all"]),
    cli(["jobs", "show", job?.id ?? ""]),
    cli(["queues"]),
    cli(["audit", "verify"]),
    cli(["audit", "export", "--installation"]),
  ]);
}
