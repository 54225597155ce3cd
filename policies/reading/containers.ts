import type { Resource } from "../../contract/graph.ts";
import { LABELS } from "../../contract/labels.ts";
import type { Reader } from "../model/reader.ts";
import { judge, type Reference, type ResourceRule, type Scene } from "../model/rule.ts";
import { all, any, type Truth } from "../model/truth.ts";

/** Whether a resource is a container of @pulumi/docker. */
export function isContainer(resource: Resource): boolean {
  return resource.type === "docker:index/container:Container";
}

/** What a container is for, by its label; undefined without one. */
export function componentOf(inputs: Reader): string | undefined {
  return inputs
    .at("labels")
    .each()
    .find((label) => label.at("label").text === LABELS.component)
    ?.at("value").text;
}

/** Whether a container or volume is for something, by its label. */
export function isFor(inputs: Reader, component: string): Truth {
  const labels = inputs.at("labels").each();
  return any(...labels.map((label) => all(label.at("label").is(LABELS.component), label.at("value").is(component))));
}

/** Why a stack without Docker containers is in order. */
export function noContainers(scene: Scene): string | undefined {
  return scene.environment === "local"
    ? undefined
    : `${scene.environment} runs on Kubernetes and makes no Docker containers`;
}

/** One answer about a container's inputs. */
export interface Answer {
  readonly at: Reader;
  readonly holds: Truth;
  readonly message: string;
  readonly fix: string;
}

type Text = Pick<ResourceRule, "name" | "title" | "documentation" | "references" | "level"> &
  Partial<Pick<ResourceRule, "levelIn" | "onUnknown" | "only">>;

/** A rule about every Docker container. */
export function dockerRule(text: Text, check: (container: Reader) => Answer | Iterable<Answer>): ResourceRule {
  return {
    onUnknown: "defer",
    ...text,
    scope: "resource",
    concerns: isContainer,
    idle: noContainers,
    *check(subject) {
      const answers = check(subject.inputs);
      for (const answer of Symbol.iterator in answers ? answers : [answers])
        yield judge(subject, answer.at, answer.holds, answer.message, answer.fix);
    },
  };
}

/** Items of the CIS Docker Benchmark. */
export function cisDocker(...items: readonly string[]): readonly Reference[] {
  return items.map((item) => ({ standard: "CIS Docker 1.6.0", item }));
}
