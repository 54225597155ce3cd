import { all, any } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** The image cannot be changed while it runs. */
export const dockerReadOnlyRoot = dockerRule(
  {
    name: "docker-read-only-root",
    title: "Containers have a read-only root file system",
    level: "mandatory",
    documentation:
      "What must be written goes to a volume or a `tmpfs`. A container that is never started (`start: false`, `mustRun: false`), by which files get into a volume, runs nothing and is let through.",
    references: cisDocker("5.13"),
  },
  (container) => {
    const place = container.at("readOnly");
    const neverRuns = all(container.at("start").is(false), container.at("mustRun").is(false));
    return {
      at: place,
      holds: any(place.is(true), neverRuns),
      message: "the container can write its root file system",
      fix: "set readOnly: true and mount what it writes",
    };
  },
);
