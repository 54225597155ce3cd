import { any } from "../model/truth.ts";
import { cisDocker, dockerRule } from "./containers.ts";

/** The image cannot be changed while it runs. */
export const readOnlyRoot = dockerRule(
  {
    name: "docker-read-only-root",
    title: "Containers have a read-only root file system",
    level: "mandatory",
    documentation:
      "What must be written goes to a volume or a `tmpfs`. A container with `start: false` runs nothing and is free: Docker takes no files into a container with a read-only root.",
    references: cisDocker("5.13"),
  },
  (container) => {
    const place = container.at("readOnly");
    return {
      at: place,
      holds: any(place.is(true), container.at("start").is(false)),
      message: "the container can write its root file system",
      mend: "set readOnly: true and mount what it writes",
    };
  },
);
