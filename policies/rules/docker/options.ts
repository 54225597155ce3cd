import { judgeAnswers } from "../../model/answer.ts";
import type { ResourceRule } from "../../model/rule.ts";
import { noContainers } from "../../reading/containers.ts";
import { cisDocker } from "../../reading/docker-rule.ts";
import { matching, oneOf, understood, type Options } from "../../reading/options.ts";

/** Labels configure other programs of the host: only the stack's own ones, and descriptions. */
const LABELS: Options = { label: matching(/^(exai\.[a-z-]+|org\.opencontainers\.image\.[a-z.]+)$/), value: "any" };

/** A name that Docker accepts for a volume, a network or a container; a path is not one. */
const NAME = matching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/);

const SECONDS = matching(/^\d+$/);

/** What the rules understand of each resource: an option either has no effect on isolation, or a rule judges its value. */
const UNDERSTOOD: Readonly<Record<string, Options>> = {
  "docker:index/container:Container": {
    name: NAME,
    hostname: matching(/^[a-z0-9][a-z0-9.-]*$/i),
    domainname: matching(/^[a-z0-9][a-z0-9.-]*$/i),
    workingDir: matching(/^\//),
    // Judged by separate rules.
    image: "any",
    user: "any",
    envs: "any",
    command: "any",
    entrypoints: "any",
    privileged: "any",
    readOnly: "any",
    capabilities: { adds: "any", drops: "any" },
    healthcheck: {
      tests: "any",
      interval: "any",
      timeout: "any",
      retries: "any",
      startPeriod: "any",
      startInterval: "any",
    },
    restart: "any",
    maxRetryCount: "any",
    memory: "any",
    memorySwap: "any",
    cpus: "any",
    publishAllPorts: "any",
    ports: { internal: "any", external: "any", ip: "any", protocol: oneOf("tcp", "udp") },
    volumes: { containerPath: "any", hostPath: "any", volumeName: "any", fromContainer: "any", readOnly: "any" },
    mounts: {
      target: "any",
      source: "any",
      readOnly: "any",
      type: oneOf("bind", "volume", "tmpfs"),
      tmpfsOptions: { mode: "any", sizeBytes: "any" },
    },
    // Limits only make a container weaker.
    memoryReservation: "any",
    shmSize: "any", // It counts as memory.
    cpuShares: "any",
    cpuSet: "any",
    ulimits: { name: matching(/^(nproc|nofile|core|fsize|stack|as|cpu|data)$/), soft: "any", hard: "any" },
    // Groups below 1000 belong to the system: root, disk, docker.
    groupAdds: matching(/^[1-9]\d{3,}$/),
    securityOpts: matching(/^no-new-privileges([:=]true)?$/),
    tmpfs: {
      "*": matching(/^((rw|ro|noexec|nosuid|nodev|size=\d+[kmg]?|mode=[0-7]{3,4}|[ug]id=\d+)(,(?!$)|$))*$/),
    },
    uploads: {
      file: "any",
      content: "any",
      executable: "any",
      // Not setuid, setgid or sticky.
      permissions: matching(/^0?[0-7]{3}$/),
    },
    // The provider sets bridge, and then connects the networks of networksAdvanced in its place.
    networkMode: oneOf("none", "bridge"),
    networksAdvanced: { name: NAME, aliases: matching(/^[a-z0-9][a-z0-9.-]*$/i) },
    ipcMode: oneOf("private", "none"),
    cgroupnsMode: oneOf("private"),
    logDriver: oneOf("json-file", "local", "journald"),
    logOpts: { "max-size": "any", "max-file": "any", compress: "any" },
    labels: LABELS,
    init: "any",
    tty: "any",
    stdinOpen: "any",
    start: "any",
    mustRun: "any",
    attach: "any",
    logs: "any",
    rm: "any",
    removeVolumes: "any",
    stopSignal: "any",
    stopTimeout: SECONDS,
    destroyGraceSeconds: SECONDS,
    wait: "any",
    waitTimeout: SECONDS,
    containerReadRefreshTimeoutMilliseconds: SECONDS,
    platform: "any",
  },
  "docker:index/network:Network": {
    name: NAME,
    driver: oneOf("bridge"),
    ipamDriver: oneOf("default"),
    internal: "any",
    labels: LABELS,
    ipamConfigs: { subnet: "any", gateway: "any" },
    // Both only restrict: no address of the host in the network, no traffic between its containers.
    options: {
      "com.docker.network.bridge.inhibit_ipv4": "any",
      "com.docker.network.bridge.enable_icc": oneOf("false"),
    },
  },
  // Options of the driver can make a volume of any directory of the host.
  "docker:index/volume:Volume": { name: NAME, driver: oneOf("local"), labels: LABELS },
  "docker:index/remoteImage:RemoteImage": {
    name: "any",
    keepLocally: "any",
    forceRemove: "any",
    platform: "any",
    pullTriggers: "any",
    triggers: "any",
  },
  "pulumi:providers:docker": {
    host: matching(/^(unix|ssh|npipe):\/\//),
    context: "any",
    disableDockerDaemonCheck: "any",
    version: "any",
    registryAuth: { address: "any", username: "any", password: "any" },
  },
};

/** A closed world of options. */
export const options: ResourceRule = {
  name: "docker-options",
  title: "The rules understand every option of containers, networks, volumes and images",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "An option that the rules do not understand is a finding, so that a new option of Docker or of its provider cannot weaken a container unnoticed. Not understood are, among others, `runtime`, `devices`, `gpus`, `sysctls`, `cgroupParent`, `usernsMode`, `pidMode`, `storageOpts`, `hosts`, `dns`, options of drivers, builds, propagation of mounts, every entry of `securityOpts` except `no-new-privileges:true`, supplementary groups below 1000, other log drivers than `json-file`, `local` and `journald`, other network drivers than `bridge`, labels outside of `exai.` and `org.opencontainers.image.`, and uploads from files of the host. An option whose value is false, 0 or empty is not set.",
  references: cisDocker("5.1", "5.2", "5.9", "5.18", "5.24", "5.25", "5.31"),
  notApplicable: noContainers,
  concerns: ({ type }) => Object.hasOwn(UNDERSTOOD, type),
  *check(subject) {
    const allowed = UNDERSTOOD[subject.resource.type] ?? {};
    yield* judgeAnswers(subject, { at: subject.inputs, holds: subject.inputs.isPresent, message: "", fix: "" });
    yield* judgeAnswers(subject, understood(subject.inputs, allowed));
  },
};
