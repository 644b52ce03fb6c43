import { compileTemplate } from "./compile.ts";
import type { MarkedText } from "./marked-text.ts";
import type { Variables } from "./variables.ts";

/** A template that every workspace has; its version is 0. */
export interface BuiltIn {
  name: string;
  description: string;
  format: "html";
  body: string;
  variables: Variables;
  hasLinkPreview: false;
}

const title = { type: "string", maxLength: 200 } as const;
const description = { type: "string", maxLength: 3_000 } as const;
const details = {
  action_required: { type: "string", maxLength: 500, required: false },
  due_date: { type: "date", required: false },
  link: { type: "url", required: false },
} as const;

const DETAILS = `{{#action_required}}<b>Action required:</b> {{action_required}}{{/action_required}}
{{#due_date}}<b>Due:</b> {{due_date}}{{/due_date}}
{{#link}}<a href="{{link}}">View details</a>{{/link}}`;

const REPORT = {
  body: `📊 <b>Report ready</b>
{{title}}
Period: {{period}}
Generated: {{generated_at}}
{{#link}}<a href="{{link}}">Download</a>{{/link}}`,
  variables: {
    title,
    period: { type: "string", maxLength: 100 },
    generated_at: { type: "datetime" },
    link: { type: "url", required: false },
  },
} as const;

/** The parts and their order are what users of such bots know. */
const TEMPLATES: Record<string, Pick<BuiltIn, "description" | "body" | "variables">> = {
  alert: {
    description: "An alert of any severity.",
    body: `{{severity.mark}} <b>{{title}}</b>
Severity: {{severity}}

{{description}}

${DETAILS}`,
    variables: { severity: { type: "severity" }, title, description, ...details },
  },
  critical_alert: {
    description: "An alert that cannot wait.",
    body: `🚨 <b>{{title}}</b>
Severity: Critical

{{description}}

${DETAILS}`,
    variables: { title, description, ...details },
  },
  deadline_reminder: {
    description: "Something is due, or overdue.",
    body: `⏰ <b>{{title}}</b>
Due: {{due_date}}
{{#days_remaining}}Days remaining: {{days_remaining}}{{/days_remaining}}
{{#owner}}Owner: {{owner}}{{/owner}}

{{#description}}{{description}}{{/description}}

{{#link}}<a href="{{link}}">View details</a>{{/link}}`,
    variables: {
      title,
      due_date: { type: "date" },
      days_remaining: { type: "integer", required: false },
      owner: { type: "string", maxLength: 200, required: false },
      description: { ...description, required: false },
      link: details.link,
    },
  },
  report: { description: "A report is ready.", ...REPORT },
  report_notification: { description: "A report is ready, as routing rules call it.", ...REPORT },
  security_incident: {
    description: "Something happened that threatens security.",
    body: `{{severity.mark}} <b>Security incident: {{title}}</b>
Severity: {{severity}}
{{#detected_at}}Detected: {{detected_at}}{{/detected_at}}
{{#affected}}Affected: {{affected}}{{/affected}}

{{description}}

${DETAILS}`,
    variables: {
      severity: { type: "severity" },
      title,
      detected_at: { type: "datetime", required: false },
      affected: { type: "string", maxLength: 500, required: false },
      description,
      ...details,
    },
  },
  status_update: {
    description: "How things stand.",
    body: `📌 <b>{{title}}</b>
{{#period}}Period: {{period}}{{/period}}

{{summary}}

{{#link}}<a href="{{link}}">View details</a>{{/link}}`,
    variables: {
      title,
      period: { type: "string", maxLength: 100, required: false },
      summary: description,
      link: details.link,
    },
  },
};

/** By name. A workspace that saves one of its own under such a name has that instead. */
export const BUILT_IN: ReadonlyMap<string, BuiltIn> = new Map(
  Object.entries(TEMPLATES).map(([name, template]): [string, BuiltIn] => [
    name,
    { name, format: "html", hasLinkPreview: false, ...template },
  ]),
);

const compiled = new Map<string, MarkedText>();

/** Read when it is first used. */
export function compiledBuiltIn(template: BuiltIn): MarkedText {
  const marked = compiled.get(template.name) ?? compileTemplate(template);
  compiled.set(template.name, marked);
  return marked;
}
