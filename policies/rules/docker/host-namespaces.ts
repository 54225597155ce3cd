import { all, any, not } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** Containers are isolated from the host and from each other. */
export const dockerHostNamespaces = dockerRule(
  {
    name: "docker-host-namespaces",
    title: "Containers do not share a namespace with the host or with another container",
    level: "mandatory",
    documentation:
      "`networkMode`, `pidMode`, `ipcMode`, `usernsMode`, `cgroupnsMode` and `uts` must not be `host`; the first three must also not be `container:…`.",
    references: cisDocker("5.10", "5.16", "5.17", "5.21", "5.31"),
  },
  function* (container) {
    for (const key of ["networkMode", "pidMode", "ipcMode", "usernsMode", "cgroupnsMode", "uts"]) {
      const place = container.at(key);
      const shared = place.matches(/^(host|container:.*)$/);
      yield {
        at: place,
        holds: any(place.isAbsent, all(place.isPresent, not(shared))),
        message: `${key} is ${place.shown}`,
        fix: `remove ${key}`,
      };
    }
  },
);
