import { stringify } from "yaml";

/** Where a job finds its targets: listed, or looked up among the pods of some namespaces. */
export type Discovery =
  | {
      readonly static: readonly {
        readonly targets: readonly string[];
        readonly labels?: Readonly<Record<string, string>>;
      }[];
    }
  | { readonly podsIn: readonly string[]; readonly labelSelector: string };

/** One entry of `relabel_configs` or `metric_relabel_configs`. */
export interface Relabelling {
  readonly source_labels?: readonly string[];
  readonly regex?: string;
  readonly target_label?: string;
  readonly replacement?: string;
  readonly action?: "replace" | "keep" | "drop" | "labeldrop";
}

/** One scrape job. */
export interface ScrapeJob {
  readonly name: string;
  readonly discovery: Discovery;
  /** @default "/metrics" */
  readonly path?: string;
  /** Seconds; absent: the global interval. */
  readonly intervalSeconds?: number;
  /** On targets, before the scrape. */
  readonly relabel?: readonly Relabelling[];
  /** On samples, after the scrape. */
  readonly relabelSamples?: readonly Relabelling[];
}

export interface PrometheusArgs {
  /** Added to what leaves this Prometheus, alerts included: the stack, the instance. */
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly jobs: readonly ScrapeJob[];
  /** Alertmanagers, `host:port`. */
  readonly alertmanagers: readonly string[];
  /** Rule files, absolute or relative to the configuration. */
  readonly ruleFiles: readonly string[];
  /** Seconds between two scrapes, and two evaluations, where nothing else is said. @default 15 */
  readonly intervalSeconds?: number;
}

/** The configuration of Prometheus as data, for both version 2.42 and 3. */
export function prometheusConfig(args: PrometheusArgs): Record<string, unknown> {
  const interval = `${args.intervalSeconds ?? 15}s`;
  return {
    global: {
      scrape_interval: interval,
      evaluation_interval: interval,
      scrape_timeout: `${Math.min(10, args.intervalSeconds ?? 15)}s`,
      external_labels: args.externalLabels,
    },
    alerting: { alertmanagers: [{ static_configs: [{ targets: args.alertmanagers }] }] },
    rule_files: args.ruleFiles,
    scrape_configs: args.jobs.map(scrapeConfig),
  };
}

/** The configuration as `prometheus.yml`. */
export function renderPrometheus(args: PrometheusArgs): string {
  return stringify(prometheusConfig(args), { lineWidth: 0, aliasDuplicateObjects: false });
}

function scrapeConfig(job: ScrapeJob): Record<string, unknown> {
  return {
    job_name: job.name,
    ...(job.path === undefined ? {} : { metrics_path: job.path }),
    ...(job.intervalSeconds === undefined
      ? {}
      : { scrape_interval: `${job.intervalSeconds}s`, scrape_timeout: `${job.intervalSeconds}s` }),
    ...("static" in job.discovery
      ? { static_configs: job.discovery.static }
      : {
          kubernetes_sd_configs: [
            {
              role: "pod",
              // Named namespaces alone, so that a Role in each of them is enough and no cluster-wide right is needed.
              namespaces: { names: job.discovery.podsIn },
              selectors: [{ role: "pod", label: job.discovery.labelSelector }],
            },
          ],
        }),
    ...(job.relabel === undefined ? {} : { relabel_configs: job.relabel }),
    ...(job.relabelSamples === undefined ? {} : { metric_relabel_configs: job.relabelSamples }),
  };
}
