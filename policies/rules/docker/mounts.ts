import type { Reader } from "../../model/reader.ts";
import { all, any, not } from "../../model/truth.ts";
import type { Answer } from "../../model/answer.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

const SENSITIVE =
  /^\/(|boot|dev|etc|lib|lib64|proc|root|run|sys|usr|bin|sbin|var|var\/run|var\/lib|var\/lib\/docker|var\/lib\/containerd|home)\/*$/;
const SOCKET = /(docker|containerd|podman|crio)[^/]*\.sock$|\/(run|var\/run)\/(docker|containerd|podman|crio)(\/|$)/;

/** Containers have no access to the runtime's socket or to system directories of the host. */
export const mounts = dockerRule(
  {
    name: "docker-mounts",
    title: "No container mounts the runtime's socket or a system directory of the host",
    level: "mandatory",
    documentation:
      "Write access to the Docker socket gives root on the host; read access reveals the environment of all containers. Bind mounts of directories such as `/`, `/etc`, `/proc` and `/var/lib/docker` fail too. Named volumes are allowed.",
    references: cisDocker("5.6", "5.32"),
  },
  function* (container): Generator<Answer> {
    const volumes = container.at("volumes");
    const mountList = container.at("mounts");
    if (volumes.isAbsent === true && mountList.isAbsent === true)
      yield { at: volumes, holds: true, message: "", fix: "" };
    for (const volume of volumes.each()) yield sound(volume, volume.at("hostPath"));
    for (const mount of mountList.each()) yield sound(mount, mount.at("source"));
    // `fromContainer` inherits mounts that this rule may not see.
    for (const volume of volumes.each()) {
      const from = volume.at("fromContainer");
      yield {
        at: from,
        holds: from.isAbsentOr(""),
        message: `the container inherits the mounts of ${from.shown}`,
        fix: "list the volumes that it needs",
      };
    }
  },
);

function sound(entry: Reader, host: Reader): Answer {
  const refused = any(host.matches(SENSITIVE), host.matches(SOCKET));
  return {
    at: host,
    holds: any(host.isAbsent, all(host.isPresent, not(refused))),
    message: `${host.shown} of the host is mounted at ${entry.at("containerPath").or(entry.at("target")).shown}`,
    fix: "mount a named volume or a directory of the project",
  };
}
