import type { z } from "zod";
import type { NewMessage } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import { renderTemplate } from "../templates/index.ts";
import { checkTogether } from "./content-body.ts";
import type { Said } from "./formatted-text.ts";
import { noTemplate, orTemplateProblem, type templateUse } from "./template-shape.ts";

/** What a message says, as a body has it: a text, or a template with what fills it in. */
export interface Worded extends Pick<NewMessage, "format"> {
  text?: string;
  template?: z.output<typeof templateUse>;
}

type Checked = Pick<Worded, "text" | "format" | "template"> & Parameters<typeof checkTogether>[0];

/** Adds what of a body does not go together; a template stands where a text would. */
export function checkBody(body: Checked, context: Parameters<typeof checkTogether>[1]): void {
  const { text, format, template } = body;
  if (template === undefined) {
    checkTogether(body, context);
    return;
  }
  checkTogether({ ...body, text: "" }, context);
  for (const [field, value] of Object.entries({ text, format })) {
    if (value === undefined) continue;
    const message = "is not given with a template, which stands in its place";
    context.addIssue({ code: "custom", path: [field], message });
  }
}

/**
 * The words of a message. Throws `Problem`: 404 for a template that the workspace has not, 400 for
 * values that it cannot be filled with.
 */
export async function wordsOf(
  on: Queryable,
  workspaceId: string,
  { text, format, template }: Worded,
): Promise<Said & Pick<NewMessage, "hasLinkPreview" | "template">> {
  if (template === undefined) return { text, format };
  const rendering = renderTemplate(on, workspaceId, template);
  const rendered = await orTemplateProblem(rendering, "template.");
  if (rendered === null) throw noTemplate();
  return rendered;
}
