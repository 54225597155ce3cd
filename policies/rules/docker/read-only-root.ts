import { all, any } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** A running container cannot change its image's files. */
export const dockerReadOnlyRoot = dockerRule(
  {
    name: "docker-read-only-root",
    title: "Containers have a read-only root file system",
    level: "mandatory",
    documentation:
      "Files that the program writes belong on a volume or a `tmpfs`. A container that is never started (`start: false`, `mustRun: false`), which only copies files into a volume, passes.",
    references: cisDocker("5.13"),
  },
  (container) => {
    const place = container.at("readOnly");
    const neverRuns = all(container.at("start").is(false), container.at("mustRun").is(false));
    return {
      at: place,
      holds: any(place.is(true), neverRuns),
      message: "the container can write its root file system",
      fix: "set readOnly: true, and mount a volume or tmpfs for files that it writes",
    };
  },
);
