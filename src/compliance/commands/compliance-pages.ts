import type {
  FrameworkControls,
  FrameworkRef,
  FrameworkScore,
  RegisterSummary,
} from "../../register/index.ts";
import type { Answer } from "./answer.ts";
import { bold, code, escaped, inLine, minuteOf } from "./html.ts";
import { dataOf, turning } from "./page-buttons.ts";
import type { ControlStatus, Texts } from "./texts.ts";

/** Frameworks a page. */
const A_PAGE = 10;
/** What is shown first is what is good. */
const STATUSES: readonly ControlStatus[] = [
  "active",
  "in_progress",
  "to_do",
  "degraded",
  "deprecated",
];

/** How the workspace stands, and one line a framework; a page that there is not is the last one. */
export function overviewPage(
  texts: Texts,
  summary: RegisterSummary,
  { page: wanted, shownId }: { page: number; shownId: string },
): Answer & { page: number; pages: number } {
  const words = texts.compliance;
  const { frameworks } = summary;
  const pages = Math.max(1, Math.ceil(frameworks.length / A_PAGE));
  const page = Math.min(wanted, pages - 1);
  const shown = frameworks.slice(page * A_PAGE, (page + 1) * A_PAGE);
  const lines = shown.map(
    ({ title, score }) => `• ${escaped(inLine(title))}: ${scoreOf(texts, score)}`,
  );
  const html = [
    `📋 ${bold(words.title)}`,
    "",
    ...standing(texts, summary),
    `${escaped(words.updated)}: ${minuteOf(summary.updatedAt)}`,
    "",
    ...(lines.length === 0 ? [escaped(words.noFrameworks)] : lines),
    ...(pages > 1 ? ["", escaped(texts.page(page + 1, pages))] : []),
  ].join("\n");
  const buttons = turning({ page, pages }, (other) => ({
    kind: "frameworks",
    page: other,
    shownId,
  }));
  return { id: shownId, html, buttons, isPersonal: true, page, pages };
}

/** Score, critical issues, open tasks: a line each. */
export function standing(texts: Texts, summary: RegisterSummary): string[] {
  const words = texts.compliance;
  return [
    `${escaped(words.overall)}: ${bold(scoreOf(texts, summary.score))}`,
    `${escaped(words.criticalIssues)}: ${countOf(texts, summary.criticalIssues)}`,
    `${escaped(words.openTasks)}: ${countOf(texts, summary.openTasks)}`,
  ];
}

/** One framework: its score, its requirements, its controls by status. */
export function frameworkPage(
  texts: Texts,
  { title, code: named, controls, isPartial }: FrameworkControls,
  { scored, shownId }: { scored: FrameworkScore; shownId: string },
): Answer {
  const words = texts.compliance;
  const byStatus = STATUSES.flatMap((status) => {
    const count = controls[status] ?? 0;
    return count === 0 ? [] : [`• ${escaped(words.statuses[status])}: ${countOf(texts, count)}`];
  });
  const total = STATUSES.reduce((sum, status) => sum + (controls[status] ?? 0), 0);
  const html = [
    `📋 ${bold(inLine(title, 200))} (${code(inLine(named, 60))})`,
    "",
    `${escaped(words.score)}: ${bold(scoreOf(texts, scored.score))}`,
    `${escaped(words.requirements)}: ${countOf(texts, scored.requirements)}`,
    `• ${escaped(words.met)}: ${countOf(texts, scored.met)}`,
    `• ${escaped(words.withoutControl)}: ${countOf(texts, scored.withoutControls)}`,
    `${escaped(words.controls)}: ${countOf(texts, total)}`,
    ...byStatus,
    ...(isPartial ? ["", escaped(texts.moreElsewhere)] : []),
  ].join("\n");
  const data = dataOf({ kind: "frameworks", page: 0, shownId });
  return { id: shownId, html, buttons: [[{ text: words.all, data }]], isPersonal: true };
}

/** That a name means none, with those it may have been meant for. */
export function unknownFramework(
  texts: Texts,
  name: string,
  { near, shownId }: { near: readonly FrameworkRef[]; shownId: string },
): Answer {
  const words = texts.compliance;
  const hint = near.length === 0 ? words.seeAll : words.didYouMean;
  return {
    id: shownId,
    html: `${escaped(words.unknown(inLine(name)))}\n${escaped(hint)}`,
    buttons: near.map(({ id, code: named, title }) => [
      {
        text: inLine(`${title} (${named})`, 60),
        data: dataOf({ kind: "framework", frameworkId: id, shownId }),
      },
    ]),
    // What there is in the register is nobody else's.
    isPersonal: true,
  };
}

export const scoreOf = (texts: Texts, score: number | null): string =>
  texts.ofHundred(score === null ? null : Math.floor(score));

export const countOf = (texts: Texts, count: number): string =>
  new Intl.NumberFormat(texts.locale).format(count);
