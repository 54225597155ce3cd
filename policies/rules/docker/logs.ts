import { all, any } from "../../model/truth.ts";
import { dockerRule } from "../../reading/docker-rule.ts";

/** Logs do not fill the disk. */
export const logs = dockerRule(
  {
    name: "docker-logs",
    title: "Logs are bounded",
    level: "advisory",
    documentation:
      "Docker's `json-file` driver grows until the disk is full unless `max-size` and `max-file` are set; the `local` driver rotates by itself.",
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
      message: "the container's log grows without a bound",
      fix: "set logOpts max-size and max-file",
    };
  },
);
