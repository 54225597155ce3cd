import { any } from "../../model/truth.ts";
import type { Answer } from "../../model/answer.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";
import { isLoopback, isUnspecified } from "../../reading/addresses.ts";

/** The component that may listen on addresses other than loopback, if a user configures one. */
const EDGE = "exai:routing:";

/** Ports are reachable from this machine only. */
export const ports = dockerRule(
  {
    name: "docker-ports",
    title: "Ports are published on loopback",
    level: "mandatory",
    documentation: `Published ports bypass the host's firewall. Only the router, which is part of a component \`${EDGE}…\`, may listen on another address, and it must name that address: without one, Docker listens on all addresses.`,
    references: cisDocker("5.8", "5.9", "5.14"),
  },
  function* (container, { urn }): Generator<Answer> {
    // A label can be on any container; the URN contains the types of the parents.
    const edge =
      urn
        .split("::")[2]
        ?.split("$")
        .some((type) => type.startsWith(EDGE)) ?? false;
    const everything = container.at("publishAllPorts");
    yield {
      at: everything,
      holds: everything.isAbsentOr(false),
      message: "all exposed ports are published",
      fix: "remove publishAllPorts",
    };
    for (const port of container.at("ports").each()) {
      const address = port.at("ip");
      const loopback = address.test((value) => typeof value === "string" && isLoopback(value));
      const named = address.test((value) => typeof value === "string" && !isUnspecified(value));
      yield {
        at: address,
        holds: edge ? any(loopback, named) : loopback,
        message: `port ${port.at("external").shown} is published on address ${address.shown}`,
        fix: 'set ip: "127.0.0.1"',
      };
    }
  },
);
