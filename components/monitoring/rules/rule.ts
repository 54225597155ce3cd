/** A series computed once by Prometheus and read by dashboards, alerts and gates. */
export interface RecordingRule {
  /** Name of the new series, one of `RECORDS` in contract/monitoring.ts. */
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** `critical` pages the on-call engineer, `warning` waits for working hours, `none` is for machines. */
export type Severity = "critical" | "warning" | "none";

/** An alert with the cases that prove it. */
export interface Alert {
  readonly alert: string;
  readonly severity: Severity;
  /** What is wrong, for inhibition: a critical alert silences the warnings of the same symptom and slot. */
  readonly symptom?: "errors" | "latency" | "availability" | "backup";
  /** Labels in addition to those of the expression, for alerts that several rules raise under one name. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly expr: string;
  /** How long the expression must hold, in Prometheus' form; absent: at once. */
  readonly for?: string;
  /** One line for a phone. */
  readonly summary: string;
  /** What it means for users. May use `{{ $labels.name }}` and `{{ $value … }}`. */
  readonly description: string;
  /** Name of the file under docs/runbooks, without `.md`. */
  readonly runbook: string;
  /** At least one case in which it fires and one in which it stays quiet. */
  readonly cases: readonly AlertCase[];
}

/** Samples of one series from its start on, in promtool's notation: `steps` steps of `stepSeconds` each. */
export type Samples = (steps: number, stepSeconds: number) => string;

/** A world in which an alert must fire or stay quiet: the healthy one with some series changed or gone. */
export interface AlertCase {
  readonly name: string;
  /** Regular expressions on the series' full text; what matches is taken out of the healthy world. */
  readonly without?: readonly RegExp[];
  /** Series to put in, over those of the same text. */
  readonly series?: Readonly<Record<string, Samples>>;
  /** When to look, in whole seconds from the first sample. @default 600 */
  readonly atSeconds?: number;
  /** Seconds between two samples. @default 15 */
  readonly stepSeconds?: number;
  /** The firing alerts, empty for quiet. `value` is the text that the `{{ $value … }}` of the description becomes. */
  readonly fires: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value?: string }[];
}

export interface RuleGroup {
  readonly name: string;
  /** Seconds between two evaluations; absent: Prometheus' global interval. */
  readonly intervalSeconds?: number;
  readonly rules: readonly (RecordingRule | Alert)[];
}

/** Whether a rule is an alert. */
export function isAlert(rule: RecordingRule | Alert): rule is Alert {
  return "alert" in rule;
}
