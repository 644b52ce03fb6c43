/** How bad it is, the worst first. Marks differ in shape as well as in colour. */
export const SEVERITIES = ["critical", "high", "medium", "low", "other"] as const;
export type Severity = (typeof SEVERITIES)[number];

export const SEVERITY_MARKS: Record<Severity, string> = {
  critical: "🚨",
  high: "🔺",
  medium: "🔶",
  low: "🔹",
  other: "▫️",
};

export const SEVERITY_WORDS: Record<Severity, string> = {
  critical: "Critical",
  high: "High",
  medium: "Medium",
  low: "Low",
  other: "Other",
};
