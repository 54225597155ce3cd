import { LABELS } from "../../../contract/labels.ts";
import { judge, subjectOf, type StackContext, type StackRule } from "../../model/rule.ts";
import { any, type Truth } from "../../model/truth.ts";
import type { Reader } from "../../model/reader.ts";
import { isContainer, noContainers } from "../../reading/containers.ts";
import { cisDocker } from "../../reading/docker-rule.ts";

/** Containers share networks and volumes with their own stack only. */
export const ownResources: StackRule = {
  name: "docker-own-resources",
  title: "Containers use networks and volumes that the stack declares",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "A network or volume of the host is reached by its name: `bridge` and `host`, the network of another project, the volume of another database. Their options are not known to the rules. Each name in `networksAdvanced`, `volumes` and `mounts` is that of a network or volume of the stack, or has the prefix of its instance. A container without a network in `networksAdvanced` has `networkMode: none`: with `bridge`, and by default, it joins the network that all containers of the host share.",
  references: cisDocker("2.2", "5.10", "5.30"),
  notApplicable: noContainers,
  *check(context) {
    for (const resource of context.graph.resources.filter(isContainer)) {
      const container = subjectOf(resource);
      const { inputs } = container;
      const used: readonly (readonly [kind: "network" | "volume", name: Reader])[] = [
        ...inputs
          .at("networksAdvanced")
          .each()
          .map((network) => ["network", network.at("name")] as const),
        ...inputs
          .at("volumes")
          .each()
          .map((volume) => ["volume", volume.at("volumeName")] as const),
        ...inputs
          .at("mounts")
          .each()
          .filter((mount) => mount.at("type").is("volume") !== false)
          .map((mount) => ["volume", mount.at("source")] as const),
      ];
      const mode = inputs.at("networkMode");
      const networks = inputs.at("networksAdvanced");
      yield judge(
        container,
        mode,
        any(
          mode.is("none"),
          networks.test((list) => Array.isArray(list) && list.length > 0),
        ),
        "the container joins the default bridge, on which every other container of the host reaches it",
        'name a network of the stack in networksAdvanced, or set networkMode: "none"',
      );
      for (const [kind, name] of used)
        yield judge(
          container,
          name,
          any(name.isAbsentOr(""), isDeclared(context, kind, name)),
          `the stack declares no ${kind} ${name.shown}`,
          `declare the ${kind} in the stack`,
        );
    }
  },
};

const TYPES = { network: "docker:index/network:Network", volume: "docker:index/volume:Volume" } as const;

function isDeclared(context: StackContext, kind: keyof typeof TYPES, name: Reader): Truth {
  const resources = context.graph.resources.map(subjectOf);
  // The names of an instance have its prefix, which no other instance of the machine has.
  const instances = resources
    .filter(({ resource }) => resource.type === TYPES.network)
    .flatMap(({ inputs }) => inputs.at("labels").each())
    .filter((label) => label.at("label").is(LABELS.instance) === true)
    .flatMap((label) => label.at("value").text ?? []);
  return any(
    name.test(
      (value) => typeof value === "string" && instances.some((own) => value === own || value.startsWith(`${own}-`)),
    ),
    ...resources
      .filter(({ resource }) => resource.type === TYPES[kind])
      .map(({ inputs }) => {
        const declared = inputs.at("name");
        return declared.text === undefined ? declared.isPresent : name.is(declared.text);
      }),
  );
}
