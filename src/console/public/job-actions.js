/** What may be done by hand to jobs, and in which states. */
export const actions = [
  {
    name: "retry",
    word: "Retry",
    done: "will run again",
    explain:
      "Dead letters get their attempts back and are due at once; cancelled jobs where the search names their state.",
    states: ["discarded", "cancelled"],
  },
  {
    name: "run-now",
    word: "Run now",
    done: "is due now",
    explain: "Scheduled jobs and those that wait for a retry are due at once.",
    states: ["scheduled", "retryable"],
  },
  {
    name: "cancel",
    word: "Cancel",
    done: "cancelled",
    explain: "Waiting jobs will not run. They can be retried later.",
    isBad: true,
    states: ["available", "scheduled", "retryable"],
  },
  {
    name: "discard",
    word: "Discard",
    done: "discarded",
    explain: "Waiting jobs become dead letters. They can be retried later.",
    isBad: true,
    states: ["available", "scheduled", "retryable"],
  },
];
