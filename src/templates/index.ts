/**
 * templates: messages that are written once and filled in with values, per workspace and in versions,
 * with built-in ones for alerts, reminders and reports. A template is read when it is saved, formatting
 * and all; a value is put into text that is parsed already, so that it stays text whatever it holds.
 * Stands on outbound (which parses formatted text), audit and platform.
 */
export { MAX_BODY } from "./compile.ts";
export { isTimeZone } from "./dates.ts";
export { type RenderedTemplate, renderTemplate, type TemplateUse } from "./render-template.ts";
export { SEVERITIES, SEVERITY_MARKS, type Severity } from "./severity.ts";
export {
  archiveTemplate,
  findTemplate,
  listTemplates,
  type NewTemplate,
  saveTemplate,
  type TemplateView,
} from "./stored.ts";
export { VARIABLE_NAME } from "./tags.ts";
export { TemplateError } from "./template-error.ts";
export { MAX_STRING } from "./values.ts";
export { MAX_VARIABLES, type Variable, type Variables } from "./variables.ts";
