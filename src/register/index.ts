/**
 * register: frameworks, requirements, controls, risks, audits, findings, tasks and policies of a
 * workspace, by one description of what each holds. Stands on people, audit and platform.
 */
export * from "./exchange/index.ts";
export {
  CONTROL_STATUSES,
  type Field,
  KIND_NAMES,
  KINDS,
  type Kind,
  type KindName,
  kindNamed,
  SEVERITIES,
  TREATMENTS,
} from "./kinds.ts";
