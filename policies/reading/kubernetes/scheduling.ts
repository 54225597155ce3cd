import type { Answer } from "../../model/answer.ts";
import type { Reader } from "../../model/reader.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";
import { quantity } from "./quantities.ts";
import { matches } from "./selectors.ts";

/** Labels that every cluster has on its nodes, with values that one of them can be expected to have. */
const COMMON_LABELS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/os": ["linux"],
  "kubernetes.io/arch": ["amd64", "arm64"],
};

/** More than one node of a usual cluster has: cores, and GiB of memory. */
const LARGEST = { cores: 32, gibibytes: 128 };

/**
 * Whether the scheduler of an unknown cluster finds a node for a pod: what the pod requires of nodes must be what every cluster has.
 * Preferences do not matter.
 */
export function* schedulable(pod: Reader, labels: Reader): Generator<Answer> {
  const answer = (at: Reader, holds: Truth, message: string): Answer => ({
    ...{ at, holds, message },
    fix: `remove it, or make it a preference`,
  });
  for (const [label, value] of pod.at("nodeSelector").entries())
    yield answer(value, value.is(...(COMMON_LABELS[label] ?? [])), `no declared node has the label ${label}`);
  const bound = pod.at("nodeName");
  yield answer(bound, bound.isAbsent, "the pod is bound to one node by name");
  const scheduler = pod.at("schedulerName");
  yield answer(scheduler, scheduler.isAbsentOr("default-scheduler"), "another scheduler places the pod");
  const gates = pod.at("schedulingGates");
  yield answer(gates, gates.each().length === 0, "a scheduling gate holds the pod back");
  const classes = ["priorityClassName", "runtimeClassName"].map((key) => pod.at(key));
  for (const each of classes)
    yield answer(
      each,
      any(each.isAbsent, each.matches(/^system-(?:node|cluster)-critical$/)),
      "the pod is refused by a cluster that has no such class",
    );
  const terms = pod
    .at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    .each();
  if (terms.length > 0)
    yield answer(pod.at("affinity", "nodeAffinity"), any(...terms.map(onCommonLabels)), "no declared node matches");
  // The scheduler lets the first pod start where it would match itself.
  for (const term of pod.at("affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution").each())
    yield answer(
      term,
      all(term.at("labelSelector").isPresent, matches(term.at("labelSelector"), labels)),
      "it waits for a node with other pods",
    );
  for (const container of [...pod.at("containers").each(), ...pod.at("initContainers").each()])
    for (const key of ["requests", "limits"]) {
      const resources = container.at("resources", key);
      // A limit without a request is the request.
      if (key === "limits" && container.at("resources", "requests").isPresent === true) continue;
      for (const [name, amount] of resources.entries())
        yield answer(amount, fits(name, amount), `no usual node has ${amount.shown} of ${name}`);
    }
}

function onCommonLabels(term: Reader): Truth {
  const expressions = term.at("matchExpressions").each();
  return all(
    expressions.length > 0,
    term.at("matchFields").each().length === 0,
    ...expressions.map((expression) => {
      const values = COMMON_LABELS[expression.at("key").text ?? ""] ?? [];
      return all(
        expression.at("operator").is("In"),
        any(
          ...expression
            .at("values")
            .each()
            .map((value) => value.is(...values)),
        ),
      );
    }),
  );
}

function fits(name: string, amount: Reader): Truth {
  if (name !== "cpu" && name !== "memory" && name !== "ephemeral-storage" && name !== "*") return false;
  const most = name === "cpu" ? LARGEST.cores : LARGEST.gibibytes * 2 ** 30 * (name === "memory" ? 1 : 8);
  return amount.test((value) => (quantity(value) ?? Infinity) <= most);
}

/** Whether a container has nothing that ends or delays it apart from its own command. */
export function* undisturbed(container: Reader): Generator<Answer> {
  for (const path of [["livenessProbe"], ["startupProbe"], ["lifecycle", "postStart"]]) {
    const at = container.at(...path);
    yield { at, holds: not(at.isPresent), message: "it can end the run early", fix: "remove it" };
  }
}
