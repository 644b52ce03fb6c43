import { parse } from "csv-parse/sync";
import { createWorkspace } from "../../src/connectors/index.ts";
import type { Database } from "../../src/platform/index.ts";
import { type Environment, openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { NOWHERE } from "../load-run.ts";
import { median, round } from "../numbers.ts";

const CONTROLS = 50_000;
const REQUIREMENTS = 500;
const LINKS = 3;
const ROUNDS = 3;
/** Each statement counts scores anew, and all of them in one transaction: more take hours. */
const ROW_BY_ROW = 2_000;

interface Row {
  code: string;
  title: string;
  description: string;
  status: string;
  requirements: string;
}

/**
 * 50,000 controls with three links each, from the first byte of the POST to its answer. Beside it what
 * one writes oneself, for the first of them: csv-parse, and a row by an INSERT in one transaction.
 */
export async function importFigure(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  try {
    await environment.start("web");
    const csv = controls();
    const own: number[] = [];
    const again: number[] = [];
    const exported: number[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      const ours = await workspace(environment);
      own.push(await seconds(() => post(environment, ours.apiKey, "controls", csv, "text/csv")));
      again.push(await seconds(() => post(environment, ours.apiKey, "controls", csv, "text/csv")));
      exported.push(await seconds(() => download(environment, ours.apiKey)));
    }
    const theirs = await workspace(environment);
    const naive = await seconds(() => rowByRow(environment.db, theirs.id, csv));
    const value = CONTROLS / median(own);
    const baseline = ROW_BY_ROW / naive;
    return {
      figure: `import of ${CONTROLS} controls with ${LINKS} links each, by HTTP`,
      value: round(value),
      unit: "controls/s",
      seconds: round(median(own)),
      rounds: own.map(round),
      againSeconds: round(median(again)),
      exportSeconds: round(median(exported)),
      baseline: {
        name: `csv-parse and a row by an INSERT, ${ROW_BY_ROW} of them in one transaction, without any check`,
        value: round(baseline),
      },
      target: "< 10 s",
      reached: median(own) < 10,
    };
  } finally {
    await environment.close();
  }
}

/** With the requirements that the controls name. */
async function workspace(environment: Environment): Promise<{ id: string; apiKey: string }> {
  const { id, apiKey } = await createWorkspace(environment.db, "bench");
  const register = {
    frameworks: [{ code: "F", title: "Framework" }],
    requirements: Array.from({ length: REQUIREMENTS }, (_, n) => ({
      framework: "F",
      code: `R-${n}`,
      title: `Requirement ${n}`,
    })),
  };
  await post(environment, apiKey, "all", JSON.stringify(register), "application/json");
  return { id, apiKey };
}

function controls(): string {
  const lines = ["code,title,description,status,requirements"];
  for (let n = 0; n < CONTROLS; n++) {
    const links = Array.from({ length: LINKS }, (_, of) => `F/R-${(n * 7 + of) % REQUIREMENTS}`);
    const description = `"What is done, by whom, and how often: control ${n}"`;
    lines.push(`C-${n},Control number ${n},${description},active,${links.join("; ")}`);
  }
  return `${lines.join("\n")}\n`;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return (performance.now() - begunMs) / 1_000;
}

async function post(
  { url }: Environment,
  apiKey: string,
  kind: string,
  file: string,
  type: string,
): Promise<void> {
  const response = await fetch(`${url}/v1/register/import?kind=${kind}`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": type },
    body: file,
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${answer.slice(0, 500)}`);
}

async function download({ url }: Environment, apiKey: string): Promise<void> {
  const response = await fetch(`${url}/v1/register/export?kind=controls&format=csv`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
  const { length } = await response.text();
  if (!response.ok || length < CONTROLS)
    throw new Error(`${response.status}, ${length} characters`);
}

async function rowByRow(db: Database, workspaceId: string, csv: string): Promise<void> {
  const rows: Row[] = parse(csv, { columns: true, to: ROW_BY_ROW });
  await db.transaction(async (tx) => {
    for (const { code, title, description, status, requirements } of rows) {
      const [control] = await tx.query<{ id: string }>(
        `INSERT INTO controls (workspace_id, code, title, description, status)
         VALUES ($1, $2, $3, $4, $5) RETURNING id`,
        [workspaceId, code, title, description, status],
      );
      for (const reference of requirements.split("; ")) {
        await tx.query(
          `INSERT INTO control_requirements (workspace_id, control_id, requirement_id)
           SELECT $1, $2, r.id FROM requirements r
           JOIN frameworks f ON f.workspace_id = $1 AND f.id = r.framework_id
           WHERE r.workspace_id = $1 AND f.code = $3 AND r.code = $4`,
          [workspaceId, control?.id, ...reference.split("/")],
        );
      }
    }
  });
}
