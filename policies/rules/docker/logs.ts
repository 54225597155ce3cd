import { all, any } from "../../model/truth.ts";
import { dockerRule } from "../../reading/docker-rule.ts";

/** Logs cannot fill the disk. */
export const logs = dockerRule(
  {
    name: "docker-logs",
    title: "Logs have a size limit",
    level: "advisory",
    documentation:
      "With Docker's `json-file` driver, logs grow until the disk is full, unless `max-size` and `max-file` are set. The `local` driver rotates automatically.",
    references: [{ standard: "Docker documentation", item: "Configure logging drivers" }],
  },
  (container) => {
    const driver = container.at("logDriver");
    const options = container.at("logOpts");
    const bounded = all(options.at("max-size").matches(/^\d+[kmg]?$/), options.at("max-file").within(1, 100));
    const elsewhere = driver.is("local", "journald", "none", "syslog", "fluentd");
    return {
      at: driver,
      holds: any(bounded, elsewhere),
      message: "the container's log has no size limit",
      fix: "set logOpts max-size and max-file",
    };
  },
);
