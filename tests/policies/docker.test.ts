import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Unknown, type Value } from "../../contract/graph.ts";
import { refusedHostPath } from "../../policies/reading/host-paths.ts";
import { RULES } from "../../policies/rules/index.ts";
import { altered, DOCKER, outcome, resource, soundDocker } from "./support.ts";

type Path = readonly (string | number)[];
const VOLUME = resource("docker:index/volume:Volume", { name: "data" });
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
  // What Docker reads in another way than it is written.
  ["docker-no-new-privileges", ["securityOpts"], ["no-new-privileges:true", "no-new-privileges:0"]],
  ["docker-no-new-privileges", ["securityOpts"], ["no-new-privileges:true", "label=type:spc_t"]],
  ["docker-mounts", ["volumes", 0], { hostPath: "/run/docker.sock/.", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "//srv/x/../../etc", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/var/lib/docker/volumes", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/run/systemd/private", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/home/user/.ssh", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/home/user", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/srv", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "etc", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { hostPath: "/srv/exai/.exai/local", containerPath: "/x" }],
  ["docker-mounts", ["volumes", 0], { volumeName: "/", containerPath: "/x" }],
  ["docker-mounts", ["mounts"], [{ type: "volume", source: "/etc", target: "/x" }]],
  ["docker-ports", ["ports", 0, "ip"], "::0"],
  ["docker-ports", ["ports", 0, "ip"], "0:0:0:0:0:0:0:0"],
  ["docker-ports", ["ports", 0, "ip"], "127.evil"],
  ["docker-own-resources", ["volumes", 0], { volumeName: "other", containerPath: "/x" }],
  ["docker-own-resources", ["networksAdvanced"], [{ name: "host" }]],
  ["docker-own-resources", ["networkMode"], undefined],
  ["docker-own-resources", ["networkMode"], "bridge"],
  ["docker-own-resources", ["mounts"], [{ type: "volume", source: "other", target: "/x" }]],
  // Options that no rule understands, and values that no rule accepts.
  ["docker-options", ["runtime"], "kata"],
  ["docker-options", ["gpus"], "all"],
  ["docker-options", ["deviceRequests"], [{ count: -1 }]],
  ["docker-options", ["deviceCgroupRules"], ["a *:* rwm"]],
  ["docker-options", ["sysctls"], { "net.ipv4.ip_forward": "1" }],
  ["docker-options", ["cgroupParent"], "/"],
  ["docker-options", ["cgroupnsMode"], "host"],
  ["docker-options", ["usernsMode"], "host"],
  ["docker-options", ["ipcMode"], "shareable"],
  ["docker-options", ["networkMode"], "other_default"],
  ["docker-options", ["networksAdvanced"], [{ name: "exai", driverOpts: ["a=b"] }]],
  ["docker-options", ["storageOpts"], { size: "1t" }],
  ["docker-options", ["hosts"], [{ host: "router", ip: "host-gateway" }]],
  ["docker-options", ["dns"], ["192.0.2.1"]],
  ["docker-options", ["groupAdds"], ["docker"]],
  ["docker-options", ["groupAdds"], ["0"]],
  ["docker-options", ["securityOpts"], ["no-new-privileges:true", "seccomp=/tmp/profile.json"]],
  ["docker-options", ["logDriver"], "syslog"],
  ["docker-options", ["logOpts", "env"], "PASSWORD"],
  ["docker-options", ["labels"], [{ label: "traefik.enable", value: "true" }]],
  ["docker-options", ["tmpfs"], { "/tmp": "size=64m,exec,suid" }],
  ["docker-options", ["uploads"], [{ file: "/x", source: "/etc/shadow" }]],
  ["docker-options", ["uploads"], [{ file: "/x", content: "", permissions: "4755" }]],
  ["docker-options", ["ports", 0, "protocol"], "sctp"],
  ["docker-options", ["mounts"], [{ type: "volume", target: "/x", volumeOptions: { driverOptions: { device: "/" } } }]],
  ["docker-options", ["mounts"], [{ type: "bind", target: "/x", bindOptions: { propagation: "rshared" } }]],
  ["docker-options", ["ulimits"], [{ name: "memlock", soft: -1, hard: -1 }]],
  ["docker-options", ["optionOfNextYear"], "on"],
];

describe("Docker containers", () => {
  it("a container without faults passes every rule, and every rule evaluates it", () => {
    for (const rule of DOCKER_RULES) {
      const result = outcome(rule, "local", resource(DOCKER, soundDocker()), VOLUME);
      expect(result.findings, rule.name).toEqual([]);
      expect(result.deferred, rule.name).toEqual([]);
      expect(result.evaluated, rule.name).toBeGreaterThan(0);
    }
  });

  it.each(FAULTS)("%s reports %j = %j", (name, path, value) => {
    const rule = RULES.find((candidate) => candidate.name === name);
    if (rule === undefined) throw new Error(name);
    expect(
      outcome(rule, "local", resource(DOCKER, altered(soundDocker(), path, value) as Record<string, Value>), VOLUME)
        .findings.length,
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
        VOLUME,
      );
      expect(result.findings, `${name} ${path.join(".")}`).toEqual([]);
      expect(result.deferred.length, `${name} ${path.join(".")}`).toBeGreaterThan(0);
    }
  });

  it("the router may listen on a named address only", () => {
    const rule = RULES.find((candidate) => candidate.name === "docker-ports");
    if (rule === undefined) throw new Error("docker-ports");
    const router = (ip: string, parent: string) => ({
      ...resource(DOCKER, {
        ...soundDocker(),
        labels: [{ label: "exai.component", value: "router" }],
        ports: [{ internal: 8080, external: 80, ip }],
      }),
      urn: `urn:pulumi:local::exai::${parent}${DOCKER}::thing`,
    });
    const own = "exai:routing:DockerRouting$";
    expect(outcome(rule, "local", router("192.0.2.7", own)).findings).toEqual([]);
    for (const every of ["0.0.0.0", "::", "0:0::0", "::ffff:0.0.0.0", "", "localhost"])
      expect(outcome(rule, "local", router(every, own)).findings, every).toHaveLength(1);
    expect(outcome(rule, "local", router("192.0.2.7", "")).findings, "by its label alone").toHaveLength(1);
  });

  it("an option that is false, zero or empty is not set", () => {
    const rule = RULES.find(({ name }) => name === "docker-options");
    if (rule === undefined) throw new Error("docker-options");
    const unset = {
      __defaults: ["ports"],
      devices: [],
      sysctls: {},
      runtime: "",
      shmSize: 0,
      publishAllPorts: false,
      usernsMode: "",
    };
    expect(outcome(rule, "local", resource(DOCKER, { ...soundDocker(), ...unset })).findings).toEqual([]);
  });

  it.each([
    ["network:Network", { name: "exai", driver: "host" }],
    ["network:Network", { name: "exai", options: { "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0" } }],
    ["volume:Volume", { name: "exai-data", driver: "local", driverOpts: { type: "none", o: "bind", device: "/" } }],
    ["volume:Volume", { name: "exai-data", driver: "nfs" }],
    ["remoteImage:RemoteImage", { name: "a:1", build: { context: "." } }],
  ] as const)("options of a %s are understood, or a finding: %j", (type, inputs) => {
    const rule = RULES.find(({ name }) => name === "docker-options");
    if (rule === undefined) throw new Error("docker-options");
    expect(outcome(rule, "local", resource(`docker:index/${type}`, inputs)).findings).toHaveLength(1);
  });

  it("the symbolic links of the machine do not hide a directory of the system", () => {
    const folder = mkdtempSync(join(tmpdir(), "exai-mount-"));
    symlinkSync("/etc", join(folder, "link"));
    expect(refusedHostPath(folder)).toBeUndefined();
    expect(refusedHostPath(join(folder, "link/ssh"))).toBe("belongs to the system");
    rmSync(folder, { recursive: true });
  });

  it("a carrier of files may write its root", () => {
    const rule = RULES.find(({ name }) => name === "docker-read-only-root");
    if (rule === undefined) throw new Error("docker-read-only-root");
    const carrier = {
      ...soundDocker(),
      readOnly: false,
      start: false,
      mustRun: false,
      networkMode: "none",
      envs: [],
      ports: [],
      uploads: [{ file: "/etc/exai/a", content: "a" }],
      labels: [{ label: "exai.component", value: "router-files" }],
    };
    expect(outcome(rule, "local", resource(DOCKER, carrier)).findings).toEqual([]);
    for (const [key, value] of [
      ["networkMode", "bridge"],
      ["envs", ["A=b"]],
      ["uploads", []],
      ["start", true],
    ] as const)
      expect(outcome(rule, "local", resource(DOCKER, { ...carrier, [key]: value })).findings, key).toHaveLength(1);
  });

  it("a stack without containers is allowed on Kubernetes but not on Docker", () => {
    for (const rule of DOCKER_RULES) {
      expect(outcome(rule, "prod").notApplicable, rule.name).toContain("Kubernetes");
      expect(outcome(rule, "local").inconclusive, rule.name).toContain("nothing to check");
    }
  });
});
