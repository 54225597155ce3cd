import { any } from "../../model/truth.ts";
import type { Answer } from "../../model/answer.ts";
import { componentOf } from "../../reading/containers.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** The component that may listen on addresses other than loopback, if a user configures one. */
const EDGE = "router";

/** Ports are reachable from this machine only. */
export const ports = dockerRule(
  {
    name: "docker-ports",
    title: "Ports are published on loopback",
    level: "mandatory",
    documentation: `Published ports bypass the host's firewall. Only the component \`${EDGE}\` may listen on another address, and it must name that address: without one, Docker listens on all addresses.`,
    references: cisDocker("5.8", "5.9", "5.14"),
  },
  function* (container): Generator<Answer> {
    const edge = componentOf(container) === EDGE;
    const everything = container.at("publishAllPorts");
    yield {
      at: everything,
      holds: everything.isAbsentOr(false),
      message: "all exposed ports are published",
      fix: "remove publishAllPorts",
    };
    for (const port of container.at("ports").each()) {
      const address = port.at("ip");
      const loopback = address.matches(/^(127\.\d+\.\d+\.\d+|::1)$/);
      const named = edge
        ? address.test((value) => typeof value === "string" && value !== "" && value !== "0.0.0.0" && value !== "::")
        : false;
      yield {
        at: address,
        holds: any(loopback, named),
        message: `port ${port.at("external").shown} is published on address ${address.shown}`,
        fix: 'set ip: "127.0.0.1"',
      };
    }
  },
);
