import { all, any } from "../../model/truth.ts";
import { CARRIER } from "../../../contract/labels.ts";
import { componentOf } from "../../reading/containers.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** A running container cannot change its image's files. */
export const dockerReadOnlyRoot = dockerRule(
  {
    name: "docker-read-only-root",
    title: "Containers have a read-only root file system",
    level: "mandatory",
    documentation:
      "Files that the program writes belong on a volume or a `tmpfs`. A carrier passes, which only copies files into a volume: it is never started (`start: false`, `mustRun: false`), has uploads, no network, no ports and no environment, and `exai.component` ends in `-files`.",
    references: cisDocker("5.13"),
  },
  (container) => {
    const place = container.at("readOnly");
    const isCarrier = all(
      container.at("start").is(false),
      container.at("mustRun").is(false),
      container.at("networkMode").is("none"),
      componentOf(container)?.endsWith(CARRIER) ?? false,
      container.at("uploads").each().length > 0,
      ...["networksAdvanced", "ports", "envs"].map((key) => container.at(key).each().length === 0),
    );
    return {
      at: place,
      holds: any(place.is(true), isCarrier),
      message: "the container can write its root file system",
      fix: "set readOnly: true, and mount a volume or tmpfs for files that it writes",
    };
  },
);
