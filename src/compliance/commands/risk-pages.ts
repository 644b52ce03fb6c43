import {
  type RegisterSummary,
  RISK_LEVELS,
  type RiskLevel,
  type TopRisk,
} from "../../register/index.ts";
import { SEVERITY_MARKS } from "../../templates/index.ts";
import { assessData } from "../dialogs/index.ts";
import type { Answer } from "./answer.ts";
import { countOf } from "./compliance-pages.ts";
import { bold, code, escaped, inLine } from "./html.ts";
import { dataOf, turning } from "./page-buttons.ts";
import { ALL_TEXTS, type Texts } from "./texts.ts";

/** Risks a page. */
export const RISKS_A_PAGE = 5;
/** Whoever wants to read more reads it elsewhere: the tenth thousand is not found by turning pages. */
const MAX_PAGES = 100;

/** In any language, whatever its case; null: none. */
export function levelNamed(word: string): RiskLevel | null {
  const name = word.trim().toLowerCase();
  for (const { risk } of ALL_TEXTS) {
    if (Object.hasOwn(risk.levelWords, name)) return risk.levelWords[name] ?? null;
  }
  return null;
}

/** Which page is shown, where so many are there. */
export function pageOfRisks(count: number, wanted: number): { page: number; pages: number } {
  const pages = Math.min(MAX_PAGES, Math.max(1, Math.ceil(count / RISKS_A_PAGE)));
  return { page: Math.min(wanted, pages - 1), pages };
}

interface Shown {
  top: readonly TopRisk[];
  shownId: string;
  /** Whoever reads it may say how likely they are, and how bad. */
  mayAssess?: boolean;
}

/** One that begins the assessment of each, where somebody may. */
const assessing = (texts: Texts, { top, mayAssess }: Pick<Shown, "top" | "mayAssess">) =>
  mayAssess
    ? top.map(({ id, code: named }) => [
        { text: texts.risk.assess(inLine(named, 60)), data: assessData(id) },
      ])
    : [];

/** How many of each level, and the highest; buttons lead to each level's own. */
export function risksPage(
  texts: Texts,
  { risks }: RegisterSummary,
  { top, shownId, mayAssess = false }: Shown,
): Answer {
  const words = texts.risk;
  const html = [
    ...head(texts, words.title, risks),
    "",
    bold(words.top),
    ...listed(texts, top, 0),
  ].join("\n");
  const buttons = RISK_LEVELS.filter((level) => risks[level] > 0).map((level) => ({
    text: `${SEVERITY_MARKS[level]} ${words.levels[level]}`,
    data: dataOf({ kind: "risks", level, page: 0, shownId }),
  }));
  const rows = buttons.length === 0 ? [] : [buttons.slice(0, 2), buttons.slice(2)];
  return {
    id: shownId,
    html,
    buttons: [...assessing(texts, { top, mayAssess }), ...rows.filter((row) => row.length > 0)],
    isPersonal: true,
  };
}

/** Those of one level, the highest first. */
export function levelPage(
  texts: Texts,
  { risks }: RegisterSummary,
  shown: Shown & { level: RiskLevel; page: number },
): Answer {
  const { level, top, page, shownId } = shown;
  const words = texts.risk;
  const { pages } = pageOfRisks(risks[level], page);
  const isCut = page + 1 === pages && risks[level] > pages * RISKS_A_PAGE;
  const html = [
    ...head(texts, words.title, risks),
    "",
    bold(words.ofLevel(words.levels[level])),
    ...listed(texts, top, page * RISKS_A_PAGE),
    ...(pages > 1 ? ["", escaped(texts.page(page + 1, pages))] : []),
    ...(isCut ? [escaped(texts.moreElsewhere)] : []),
  ].join("\n");
  const buttons = turning({ page, pages }, (other) => ({
    kind: "risks",
    level,
    page: other,
    shownId,
  }));
  const rows = [...assessing(texts, shown), ...(buttons ?? [])];
  return { id: shownId, html, buttons: rows, isPersonal: true };
}

function head(texts: Texts, title: string, risks: RegisterSummary["risks"]): string[] {
  const words = texts.risk;
  return [
    `⚖️ ${bold(title)}`,
    "",
    ...counts(texts, risks),
    ...(risks.unassessed > 0
      ? [`${escaped(words.unassessed)}: ${countOf(texts, risks.unassessed)}`]
      : []),
  ];
}

/** Total, then each level: a line each. */
export function counts(texts: Texts, risks: RegisterSummary["risks"]): string[] {
  const { total, levels } = texts.risk;
  return [
    `${escaped(total)}: ${countOf(texts, risks.total)}`,
    ...RISK_LEVELS.map((level) => `${escaped(levels[level])}: ${countOf(texts, risks[level])}`),
  ];
}

/** `before`: how many come before them. */
export function listed(texts: Texts, risks: readonly TopRisk[], before: number): string[] {
  const words = texts.risk;
  if (risks.length === 0) return [escaped(words.none)];
  return risks.map(({ code: named, title, level, score, treatment }, n) => {
    const assessed =
      level === null
        ? words.unassessed
        : `${words.levels[level]}${score === null ? "" : ` (${score})`}`;
    const told = [assessed, ...(treatment === null ? [] : [words.treatments[treatment]])];
    const mark = SEVERITY_MARKS[level ?? "other"];
    return `${before + n + 1}. ${mark} ${code(inLine(named, 60))} ${escaped(inLine(title))}: ${escaped(told.join(", "))}`;
  });
}
