import { all, any } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** All capabilities are dropped. */
export const dockerCapabilities = dockerRule(
  {
    name: "docker-capabilities",
    title: "Containers drop all capabilities and add at most NET_BIND_SERVICE",
    level: "mandatory",
    documentation:
      "A Docker container has fourteen capabilities by default, unless `capabilities.drops` contains `ALL`.",
    references: cisDocker("5.4"),
  },
  function* (container) {
    const drops = container.at("capabilities", "drops");
    yield {
      at: drops,
      holds: drops.includes("ALL", "CAP_ALL"),
      message: "the container keeps Docker's default capabilities",
      fix: 'set capabilities.drops: ["ALL"]',
    };
    const adds = container.at("capabilities", "adds");
    const holds = all(
      any(adds.isAbsent, adds.isPresent),
      ...adds.each().map((add) => add.is("NET_BIND_SERVICE", "CAP_NET_BIND_SERVICE")),
    );
    const shown = adds
      .each()
      .map((add) => add.shown)
      .join(", ");
    // If the capabilities are malformed, the check above fails too.
    yield { at: adds, holds, message: `the container adds capabilities: ${shown}`, fix: "remove capabilities.adds" };
  },
);
