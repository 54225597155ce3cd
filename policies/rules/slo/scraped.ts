import { LABELS } from "../../../contract/labels.ts";
import { componentOf, isContainer } from "../../reading/containers.ts";
import { kindOf, podsOf } from "../../reading/kubernetes/pods.ts";
import { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, subjectOf, type StackContext, type StackRule, type Subject } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { prometheusFiles, type Job } from "../../reading/prometheus.ts";

const LASTING = ["Deployment", "StatefulSet", "DaemonSet"];

/** Prometheus watches all services. */
export const scraped: StackRule = {
  name: "slo-scraped",
  title: "Prometheus scrapes every service",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "The rule reads the scrape jobs in ConfigMaps and containers of the stack. A Deployment, StatefulSet, DaemonSet or running container is scraped if a job has the name of its component, selects its pods by labels, or lists its host as a target. Containers that take backups are exempt, since alerts watch the age of backups (`slo-backup-age`); a component can list others in `withoutScrape`.",
  references: [
    { standard: "Google SRE workbook", item: "Monitoring" },
    { standard: "NIST SP 800-53", item: "SI-4" },
  ],
  *check(context) {
    const files = prometheusFiles(context);
    const excepted = new Set(
      context.graph.resources.flatMap((resource) =>
        Reader.of(resource.inputs)
          .at("withoutScrape")
          .each()
          .flatMap(({ text }) => text ?? []),
      ),
    );
    for (const { subject, component, hosts, labels } of services(context)) {
      const found = files.jobs.some((job) => watches(job, component, hosts, labels)) || excepted.has(component);
      yield judgeAt(
        placeOf(subject, ""),
        any(found, files.unread),
        "no scrape job covers this service",
        "add a scrape job to the monitoring component, or list it in withoutScrape",
      );
    }
  },
};

interface Service {
  readonly subject: Subject;
  readonly component: string;
  readonly hosts: readonly string[];
  readonly labels: Reader;
}

function* services(context: StackContext): Generator<Service> {
  for (const resource of context.graph.resources) {
    const subject = subjectOf(resource);
    const { inputs } = subject;
    if (isContainer(resource)) {
      const component = componentOf(inputs) ?? "";
      // One-shot containers and the backup runner are not services.
      if (inputs.at("start").is(false) === true || component === "backup-runner") continue;
      yield { subject, component, hosts: [component, inputs.at("hostname").text ?? ""], labels: Reader.of(undefined) };
    } else if (LASTING.includes(kindOf(resource) ?? ""))
      for (const pod of podsOf(subject)) {
        const labels = pod.metadata.at("labels");
        const component = labels.at(LABELS.component).text ?? "";
        yield { subject, component, hosts: [component, inputs.at("metadata", "name").text ?? ""], labels };
      }
  }
}

function watches(job: Job, component: string, hosts: readonly string[], labels: Reader): boolean {
  if (component !== "" && job.name === component && job.hosts.length + job.selectors.length > 0) return true;
  if (job.hosts.some((host) => host !== "" && hosts.includes(host))) return true;
  return job.selectors.some(
    (selector) =>
      selector.length > 0 &&
      selector.every((pair) => {
        const [key = "", value = ""] = pair.split("=");
        return labels.at(key).is(value) === true;
      }),
  );
}
