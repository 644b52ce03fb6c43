import type { Transaction } from "../../platform/index.ts";
import {
  type AuditUnderWay,
  auditsUnderWay,
  type FrameworkRef,
  nearFrameworks,
  planAudit,
} from "../../register/index.ts";
import type { Answer } from "./answer.ts";
import { chooseFramework } from "./choose-framework.ts";
import { bold, code, escaped, inLine } from "./html.ts";
import type { Texts } from "./texts.ts";
import { usageOf } from "./usage.ts";

/** Shown at most. */
const SHOWN = 5;
/** As the register has it for a title. */
const MAX_TITLE = 300;

/**
 * `/audit type` plans one: of a framework where the type names it. Without a type: how to write it, and
 * what is under way.
 */
export async function answerAudit(
  tx: Transaction,
  workspaceId: string,
  { texts, type }: { texts: Texts; type: string },
): Promise<Answer> {
  if (type === "") {
    const audits = await auditsUnderWay(tx, { workspaceId, limit: SHOWN });
    return { html: usageWithAudits(texts, audits), isPersonal: true };
  }
  const candidates = await nearFrameworks(tx, { workspaceId, name: type });
  const choice = chooseFramework(type, candidates);
  const framework = "found" in choice ? choice.found : null;
  const title = Array.from(`${framework?.title ?? type} audit`)
    .slice(0, MAX_TITLE)
    .join("");
  const frameworkId = framework?.id ?? null;
  const audit = await planAudit(tx, { workspaceId, type, title, frameworkId });
  return { html: plannedText(texts, audit.code, { type, framework }), isPersonal: true };
}

function usageWithAudits(texts: Texts, audits: readonly AuditUnderWay[]): string {
  const words = texts.audit;
  const lines = audits.map(
    ({ code: named, title, status }) =>
      `• ${code(inLine(named, 60))} ${escaped(inLine(title))}: ${escaped(words.statuses[status])}`,
  );
  return [
    usageOf(texts, "audit"),
    "",
    ...(lines.length === 0 ? [escaped(words.noneUnderWay)] : [bold(words.underWay), ...lines]),
  ].join("\n");
}

function plannedText(
  texts: Texts,
  named: string,
  { type, framework }: { type: string; framework: FrameworkRef | null },
): string {
  const words = texts.audit;
  return [
    `🗓 ${bold(words.planned(named))}`,
    `${escaped(words.type)}: ${escaped(inLine(type, 100))}`,
    ...(framework === null
      ? []
      : [`${escaped(words.framework)}: ${escaped(inLine(framework.title, 200))}`]),
    "",
    escaped(words.next),
  ].join("\n");
}
