import { parse } from "yaml";
import type { Resource } from "../../contract/graph.ts";
import { isContainer } from "./containers.ts";
import { kindOf } from "./pods.ts";
import { Reader } from "../model/reader.ts";
import { placeOf, subjectOf, type Place, type StackContext } from "../model/rule.ts";
import { UnknownTruth, type Truth } from "../model/truth.ts";

/** A scrape job of Prometheus, and where its configuration stands. */
export interface Job {
  readonly name: string;
  /** Hosts of static targets, without ports. */
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

/** What the stack's Prometheus is told. */
export interface PrometheusFiles {
  readonly jobs: readonly Job[];
  readonly alerts: readonly Alert[];
  /** Whether alerts are sent anywhere. */
  readonly alertmanagers: boolean;
  /** Where the main file is, for findings. */
  readonly place: Place;
  /** Unknown if a file of the stack is not known yet, since it may hold what a rule misses; else false. */
  readonly unread: Truth;
}

/** The configuration that containers and ConfigMaps of the stack carry, by its content and not by its name. */
export function prometheusFiles(context: StackContext): PrometheusFiles {
  const jobs: Job[] = [];
  const alerts: Alert[] = [];
  const open: string[] = [];
  let alertmanagers = false;
  let main: Place | undefined;
  for (const resource of context.graph.resources)
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
    // Malformed is as good as absent: whoever looks for a job or an alert in it finds none.
    return undefined;
  }
}

function jobOf(job: Reader): Job {
  const statics = job.at("static_configs").each();
  const discoveries = job.at("kubernetes_sd_configs").each();
  return {
    name: job.at("job_name").text ?? "",
    hosts: statics.flatMap((config) =>
      config
        .at("targets")
        .each()
        .flatMap(({ text }) => (text === undefined ? [] : [text.replace(/:\d+$/, "")])),
    ),
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
