import { all, any } from "../../model/truth.ts";
import type { Answer } from "../../model/answer.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** A container cannot exhaust the resources of the host. */
export const limits = dockerRule(
  {
    name: "docker-limits",
    title: "Containers have limits for memory, swap, CPU and processes",
    level: "mandatory",
    documentation:
      "`memory` (MiB) and `cpus` must be set; `memorySwap` must not exceed `memory`, otherwise the container can swap beyond its limit. The provider does not support a cgroup limit for processes, so the `ulimits` entry `nproc` is used instead; the Compose file sets it as `pids_limit`.",
    references: cisDocker("5.11", "5.12", "5.19", "5.29"),
  },
  function* (container): Generator<Answer> {
    const memory = container.at("memory");
    yield {
      at: memory,
      holds: memory.within(1, Infinity),
      message: "the container has no memory limit",
      fix: "set memory, in MiB",
    };
    const swap = container.at("memorySwap");
    const limit = memory.number;
    const bounded = limit === undefined ? all(memory.isPresent, swap.within(0, Infinity)) : swap.within(0, limit);
    yield {
      at: swap,
      holds: bounded,
      message: `memorySwap is ${swap.shown}, so the container can swap beyond its memory limit`,
      fix: "set memorySwap to the value of memory",
    };
    const cpus = container.at("cpus");
    yield {
      at: cpus,
      holds: cpus.within(0.001, Infinity),
      message: "the container has no CPU limit",
      fix: 'set cpus, e.g. "0.5"',
    };
    const ulimits = container.at("ulimits");
    const bound = any(
      ...ulimits.each().map((ulimit) => all(ulimit.at("name").is("nproc"), ulimit.at("hard").within(1, 1_000_000))),
    );
    yield {
      at: ulimits,
      holds: bound,
      message: "the container has no limit for processes",
      fix: 'add { name: "nproc", soft, hard } to ulimits',
    };
  },
);
