import { parse } from "yaml";
import type { Resource } from "../../contract/graph.ts";
import { isContainer } from "./containers.ts";
import { kindOf } from "./kubernetes/pods.ts";
import { Reader } from "../model/reader.ts";
import { placeOf, subjectOf, type Place, type StackContext } from "../model/rule.ts";
import { UnknownTruth, type Truth } from "../model/truth.ts";

/** A scrape job of Prometheus. */
export interface Job {
  readonly name: string;
  /** Hosts of static targets, without ports; the label `instance` names what is scraped through a proxy. */
  readonly hosts: readonly string[];
  /** `key=value` selectors of discovered pods, one list per selector. */
  readonly selectors: readonly (readonly string[])[];
}

/** An alert of Prometheus. */
export interface Alert {
  readonly name: string;
  readonly expression: string;
  readonly place: Place;
}

/** The configuration of the stack's Prometheus. */
export interface PrometheusFiles {
  readonly jobs: readonly Job[];
  readonly alerts: readonly Alert[];
  /** Whether Prometheus has an Alertmanager. */
  readonly alertmanagers: boolean;
  /** The place of the main configuration file, for findings. */
  readonly place: Place;
  /** Unknown if a file of the stack is unknown, since it may contain what a rule does not find; else false. */
  readonly unread: Truth;
}

/** What was read of each graph: several rules ask, and the files are long. */
const READ = new WeakMap<StackContext["graph"], PrometheusFiles>();

/** The configuration in containers and ConfigMaps of the stack, recognised by its content. */
export function prometheusFiles({ graph }: StackContext): PrometheusFiles {
  const known = READ.get(graph) ?? read(graph);
  READ.set(graph, known);
  return known;
}

function read(graph: StackContext["graph"]): PrometheusFiles {
  const jobs: Job[] = [];
  const alerts: Alert[] = [];
  const open: string[] = [];
  let alertmanagers = false;
  let main: Place | undefined;
  for (const resource of graph.resources)
    for (const file of filesOf(resource)) {
      const place = placeOf(subjectOf(resource), file.path);
      if (file.state === "unknown") open.push(`${resource.name} ${file.path}`);
      const document = parsed(file.text);
      if (document === undefined) continue;
      const scrapes = document.at("scrape_configs");
      if (scrapes.isPresent === true) {
        main ??= place;
        jobs.push(...scrapes.each().map(jobOf));
        alertmanagers ||= document.at("alerting", "alertmanagers").each().length > 0;
      }
      for (const group of document.at("groups").each())
        for (const rule of group.at("rules").each()) {
          const [name, expression] = [rule.at("alert").text, rule.at("expr").text];
          if (name !== undefined && expression !== undefined) alerts.push({ name, expression, place });
        }
    }
  return {
    jobs,
    alerts,
    alertmanagers,
    place: main ?? { object: "monitoring", path: "" },
    unread: open.length > 0 && new UnknownTruth(open),
  };
}

function filesOf(resource: Resource): Reader[] {
  const inputs = Reader.of(resource.inputs);
  if (isContainer(resource))
    return inputs
      .at("uploads")
      .each()
      .filter((upload) => upload.state === "unknown" || upload.at("file").matches(/\.ya?ml$/) !== false)
      .map((upload) => (upload.state === "unknown" ? upload : upload.at("content")));
  if (kindOf(resource) !== "ConfigMap") return [];
  return inputs
    .at("data")
    .entries()
    .filter(([key]) => key === "*" || /\.ya?ml$/.test(key))
    .map(([, reader]) => reader);
}

function parsed(text: string | undefined): Reader | undefined {
  if (text === undefined || !/^(scrape_configs|groups):/m.test(text)) return undefined;
  try {
    return Reader.of(parse(text) as never);
  } catch {
    // A malformed file counts as absent: it has no jobs and no alerts.
    return undefined;
  }
}

function jobOf(job: Reader): Job {
  const statics = job.at("static_configs").each();
  const discoveries = job.at("kubernetes_sd_configs").each();
  return {
    name: job.at("job_name").text ?? "",
    hosts: statics.flatMap((config) => {
      const named = config.at("labels", "instance");
      const targets = named.text === undefined ? config.at("targets").each() : [named];
      return targets.flatMap(({ text }) => (text === undefined ? [] : [text.replace(/:\d+$/, "")]));
    }),
    selectors: discoveries.flatMap((config) =>
      config
        .at("selectors")
        .each()
        .flatMap((selector) =>
          selector.at("label").text === undefined ? [] : [selector.at("label").text?.split(",") ?? []],
        ),
    ),
  };
}
