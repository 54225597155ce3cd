import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** No privileged containers. */
export const dockerPrivileged = dockerRule(
  {
    name: "docker-privileged",
    title: "No container is privileged or has access to devices of the host",
    level: "mandatory",
    documentation:
      "A privileged container is root on the host. `devices` gives access to single devices, which a server does not need.",
    references: cisDocker("5.5", "5.18"),
  },
  function* (container) {
    const place = container.at("privileged");
    yield {
      at: place,
      holds: place.isAbsentOr(false),
      message: "the container is privileged",
      fix: "remove privileged",
    };
    const devices = container.at("devices");
    const holds = devices.test((value) => Array.isArray(value) && value.length === 0);
    yield {
      at: devices,
      holds: devices.isAbsent === true ? true : holds,
      message: "the container has access to devices of the host",
      fix: "remove devices",
    };
  },
);
