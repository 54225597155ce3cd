import { describe, expect, it } from "vitest";
import { Unknown, type Value } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { altered, DOCKER, outcome, resource, soundDocker } from "./support.ts";

type Path = readonly (string | number)[];
const DOCKER_RULES = RULES.filter((rule) => rule.name.startsWith("docker-"));

const FAULTS: readonly (readonly [name: string, path: Path, value: Value | undefined])[] = [
  ["docker-non-root", ["user"], undefined],
  ["docker-non-root", ["user"], "0:0"],
  ["docker-non-root", ["user"], "10001:0"],
  ["docker-non-root", ["user"], "root"],
  ["docker-privileged", ["privileged"], true],
  ["docker-privileged", ["devices"], [{ hostPath: "/dev/kvm" }]],
  ["docker-capabilities", ["capabilities"], undefined],
  ["docker-capabilities", ["capabilities", "drops"], ["NET_RAW"]],
  ["docker-capabilities", ["capabilities", "adds"], ["SYS_ADMIN"]],
  ["docker-no-new-privileges", ["securityOpts"], undefined],
  ["docker-no-new-privileges", ["securityOpts"], ["no-new-privileges:false"]],
  ["docker-no-new-privileges", ["securityOpts"], ["no-new-privileges:true", "seccomp=unconfined"]],
  ["docker-read-only-root", ["readOnly"], false],
  ["docker-host-namespaces", ["networkMode"], "host"],
  ["docker-host-namespaces", ["pidMode"], "host"],
  ["docker-host-namespaces", ["ipcMode"], "container:other"],
  ["docker-host-namespaces", ["usernsMode"], "host"],
  ["docker-mounts", ["volumes", 0], { hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/run/containerd/containerd.sock", containerPath: "/s" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/etc/", containerPath: "/host" }],
  ["docker-mounts", ["mounts"], [{ type: "bind", source: "/", target: "/host" }]],
  ["docker-mounts", ["volumes", 0], { fromContainer: "other" }],
  ["docker-limits", ["memory"], undefined],
  ["docker-limits", ["memorySwap"], -1],
  ["docker-limits", ["memorySwap"], 1024],
  ["docker-limits", ["cpus"], undefined],
  ["docker-limits", ["cpus"], "0"],
  ["docker-limits", ["ulimits"], [{ name: "nofile", soft: 1, hard: 1 }]],
  ["docker-limits", ["ulimits", 0, "hard"], -1],
  ["docker-ports", ["ports", 0, "ip"], undefined],
  ["docker-ports", ["ports", 0, "ip"], "0.0.0.0"],
  ["docker-ports", ["ports", 0, "ip"], "192.0.2.7"],
  ["docker-ports", ["publishAllPorts"], true],
  ["docker-health-check", ["healthcheck"], undefined],
  ["docker-health-check", ["healthcheck", "tests"], ["NONE"]],
  ["docker-restart", ["restart"], "always"],
  ["docker-restart", ["maxRetryCount"], 0],
  ["docker-logs", ["logOpts"], undefined],
  ["docker-logs", ["logOpts", "max-size"], undefined],
];

describe("Docker containers", () => {
  it("a container without faults passes every rule, and every rule evaluates it", () => {
    for (const rule of DOCKER_RULES) {
      const result = outcome(rule, "local", resource(DOCKER, soundDocker()));
      expect(result.findings, rule.name).toEqual([]);
      expect(result.deferred, rule.name).toEqual([]);
      expect(result.evaluated, rule.name).toBeGreaterThan(0);
    }
  });

  it.each(FAULTS)("%s reports %j = %j", (name, path, value) => {
    const rule = RULES.find((candidate) => candidate.name === name);
    if (rule === undefined) throw new Error(name);
    expect(
      outcome(rule, "local", resource(DOCKER, altered(soundDocker(), path, value) as Record<string, Value>)).findings
        .length,
    ).toBeGreaterThan(0);
  });

  it("every Docker rule has a test case", () => {
    expect(new Set(FAULTS.map(([name]) => name))).toEqual(new Set(DOCKER_RULES.map((rule) => rule.name)));
  });

  it("a rule defers an unknown value that it needs", () => {
    for (const [name, path] of FAULTS.filter(([, path]) => path.length === 1)) {
      const rule = RULES.find((candidate) => candidate.name === name);
      if (rule === undefined) throw new Error(name);
      const result = outcome(
        rule,
        "local",
        resource(DOCKER, altered(soundDocker(), path, new Unknown(path.join("."))) as Record<string, Value>),
      );
      expect(result.findings, `${name} ${path.join(".")}`).toEqual([]);
      expect(result.deferred.length, `${name} ${path.join(".")}`).toBeGreaterThan(0);
    }
  });

  it("the router may listen on a named address only", () => {
    const rule = RULES.find((candidate) => candidate.name === "docker-ports");
    if (rule === undefined) throw new Error("docker-ports");
    const router = (ip: string) =>
      resource(DOCKER, {
        ...soundDocker(),
        labels: [{ label: "exai.component", value: "router" }],
        ports: [{ internal: 8080, external: 80, ip }],
      });
    expect(outcome(rule, "local", router("192.0.2.7")).findings).toEqual([]);
    expect(outcome(rule, "local", router("0.0.0.0")).findings).toHaveLength(1);
  });

  it("a stack without containers is allowed on Kubernetes but not on Docker", () => {
    for (const rule of DOCKER_RULES) {
      expect(outcome(rule, "prod").notApplicable, rule.name).toContain("Kubernetes");
      expect(outcome(rule, "local").inconclusive, rule.name).toContain("nothing to check");
    }
  });
});
