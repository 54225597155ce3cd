import type { Inputs, Resource, ResourceGraph } from "../../contract/graph.ts";
import { altered, pathsOf } from "./support.ts";

/** A stack of this project with faults for all kinds of resource and stack rules. */
export function faultyStack(sound: ResourceGraph): ResourceGraph {
  const weaker = (one: Resource): Resource[] => {
    if (one.name === "platform-default-deny" || one.type.endsWith(":PodDisruptionBudget")) return [];
    if (one.type === "exai:backups:BackupSchedule")
      return [{ ...one, inputs: { ...one.inputs, retentionDays: 3, schedule: "0 2 1 * *" } }];
    if (one.options.protect) return [{ ...one, options: { ...one.options, protect: false } }];
    if (one.options.ignoreChanges.length > 0) return [{ ...one, options: { ...one.options, ignoreChanges: [] } }];
    if (one.type.endsWith(":Deployment"))
      return [{ ...one, inputs: altered(one.inputs, ["spec", "template", "spec", "hostPID"], true) as Inputs }];
    if (one.type === "docker:index/container:Container" && one.name.startsWith("server"))
      return [{ ...one, inputs: { ...one.inputs, user: "0:0", restart: "always" } }];
    const rules = [...pathsOf(one.inputs)].find((path) => path.at(-1) === "rules.yml");
    return [rules === undefined ? one : { ...one, inputs: altered(one.inputs, rules, "") as Inputs }];
  };
  return { ...sound, resources: sound.resources.flatMap(weaker) };
}
