import type { Reader } from "../../model/reader.ts";
import { any } from "../../model/truth.ts";
import type { Answer } from "../../model/answer.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";
import { refusedHostPath } from "../../reading/host-paths.ts";

/** A name of a volume; Docker takes every other source for a path of the host. */
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Containers have no access to the runtime's socket or to system directories of the host. */
export const mounts = dockerRule(
  {
    name: "docker-mounts",
    title: "No container mounts the runtime's socket or a system directory of the host",
    level: "mandatory",
    documentation:
      "Write access to the Docker socket gives root on the host; read access reveals the environment of all containers. A bind mount of a directory of the system (`/`, `/etc`, `/proc`, `/run`, `/var` and others) or of anything below it fails too, and so does a whole home directory, a directory with credentials, and the home of the instance. The path is judged without dots, repeated slashes and symbolic links. A `volumeName` that is not a name is a path of the host. `fromContainer` inherits mounts that this rule does not see.",
    references: cisDocker("5.6", "5.32"),
  },
  function* (container): Generator<Answer> {
    const volumes = container.at("volumes");
    const mountList = container.at("mounts");
    if (volumes.isAbsent === true && mountList.isAbsent === true)
      yield { at: volumes, holds: true, message: "", fix: "" };
    for (const volume of volumes.each()) {
      yield sound(volume, volume.at("hostPath"));
      yield named(volume, volume.at("volumeName"));
      const from = volume.at("fromContainer");
      yield {
        at: from,
        holds: from.isAbsentOr(""),
        message: `the container inherits the mounts of ${from.shown}`,
        fix: "list the volumes that it needs",
      };
    }
    for (const mount of mountList.each()) {
      const source = mount.at("source");
      yield mount.at("type").is("volume") === true ? named(mount, source) : sound(mount, source);
    }
  },
);

function sound(entry: Reader, host: Reader): Answer {
  const why = host.text === undefined || host.text === "" ? undefined : refusedHostPath(host.text);
  return {
    at: host,
    holds: any(
      host.isAbsentOr(""),
      host.test((value) => typeof value === "string" && refusedHostPath(value) === undefined),
    ),
    message: `${host.shown} of the host is mounted at ${entry.at("containerPath").or(entry.at("target")).shown}${why === undefined ? "" : `, but it ${why}`}`,
    fix: "mount a named volume or a directory of the project",
  };
}

function named(entry: Reader, name: Reader): Answer {
  return {
    at: name,
    holds: any(name.isAbsentOr(""), name.matches(VOLUME_NAME)),
    message: `${name.shown}, mounted at ${entry.at("containerPath").or(entry.at("target")).shown}, is a path of the host and not the name of a volume`,
    fix: "use the name of a volume of the stack",
  };
}
