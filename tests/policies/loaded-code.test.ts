import { describe, expect, it } from "vitest";
import { Unknown, type Value } from "../../contract/graph.ts";
import { loadedCode } from "../../policies/rules/supply-chain/loaded-code.ts";
import { altered, DOCKER, outcome, resource, soundDocker, soundPodSpec } from "./support.ts";

// cspell:disable

/** A Pod with other environment variables and mounts in its first container. */
function podWith(env: Value, mounts?: Value) {
  const spec = altered(soundPodSpec(), ["containers", 0, "env"], env);
  const mounted = altered(spec, ["containers", 0, "volumeMounts"], mounts);
  return resource("kubernetes:core/v1:Pod", { metadata: { name: "thing", namespace: "exai" }, spec: mounted });
}

/** What the rule says of a variable in a pod, and of the same one in a container of Docker. */
function said(name: string, value: string, mountPath?: string) {
  const pod = podWith([{ name, value }], mountPath === undefined ? undefined : [{ name: "scratch", mountPath }]);
  const volumes = mountPath === undefined ? [] : [{ volumeName: "scratch", containerPath: mountPath }];
  const container = resource(DOCKER, { ...soundDocker(), envs: [`${name}=${value}`], volumes });
  const [one, other] = [outcome(loadedCode, "prod", pod), outcome(loadedCode, "local", container)];
  expect(one.findings.map(({ message }) => message)).toEqual(other.findings.map(({ message }) => message));
  return one.findings;
}

const BAD: readonly (readonly [name: string, value: string, mount?: string])[] = [
  ["LD_PRELOAD", "/tmp/evil.so"],
  ["LD_PRELOAD", "/usr/lib/libhook.so"],
  ["LD_PRELOAD", "/usr/lib/libjemalloc.so.2:/data/x.so"],
  ["LD_PRELOAD", "/tmp/libjemalloc.so.2"],
  ["LD_AUDIT", "/usr/lib/audit.so"],
  ["LD_LIBRARY_PATH", "/tmp"],
  ["LD_LIBRARY_PATH", "/usr/lib::/app"],
  ["NODE_OPTIONS", "--require /tmp/hook.js"],
  ["NODE_OPTIONS", "--max-old-space-size=96 --require=/data/hook.js"],
  ["NODE_OPTIONS", "-r /var/lib/x.js"],
  ["NODE_OPTIONS", "--import data:text/javascript,fetch('https://example.com')"],
  ["NODE_OPTIONS", "--import file:///tmp/x.mjs"],
  ["NODE_OPTIONS", '--experimental-loader "/scratch/loader.mjs"'],
  ["NODE_OPTIONS", "--require ../../tmp/x.js"],
  ["NODE_OPTIONS", "--inspect=0.0.0.0:9229"],
  ["NODE_OPTIONS", "--tls-min-v1.0"],
  ["NODE_PATH", "/srv/../tmp/modules"],
  ["NODE_PATH", "/app/plugins/node_modules", "/app/plugins"],
  ["PYTHONPATH", "/tmp"],
  ["PYTHONPATH", "."],
  ["PYTHONPATH", "/app:"],
  ["PYTHONSTARTUP", "/dev/shm/x.py"],
  ["PYTHONINSPECT", "1"],
  ["PATH", "/tmp/bin:/usr/bin"],
  ["PERL5OPT", "-I/tmp -MEvil"],
  ["PERL5DB", "BEGIN { system('id') }"],
  ["RUBYOPT", "-r/tmp/x"],
  ["BASH_ENV", "/tmp/x"],
  ["GIT_SSH_COMMAND", "sh -c id"],
  ["JAVA_TOOL_OPTIONS", "-javaagent:/tmp/agent.jar"],
  ["JAVA_TOOL_OPTIONS", "-agentlib:jdwp=transport=dt_socket,server=y,address=*:5005"],
  ["_JAVA_OPTIONS", "-XX:OnOutOfMemoryError='curl https://example.com'"],
  ["JDK_JAVA_OPTIONS", "@/tmp/options"],
  ["JAVA_OPTS", "-Djava.library.path=/tmp"],
  ["CLASSPATH", "/app/app.jar:/tmp/x.jar"],
  ["DOTNET_STARTUP_HOOKS", "/tmp/hook.dll"],
  ["OPENSSL_CONF", "/tmp/openssl.cnf"],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
  ["PYTHONHTTPSVERIFY", "0"],
  ["GIT_SSL_NO_VERIFY", "true"],
];

const GOOD: readonly (readonly [name: string, value: string, mount?: string])[] = [
  ["NODE_ENV", "production"],
  ["ENV", "production"],
  ["NODE_OPTIONS", "--max-old-space-size=96 --enable-source-maps --dns-result-order=ipv4first"],
  ["NODE_OPTIONS", "--require dd-trace/init"],
  ["NODE_OPTIONS", "--import ./instrument.mjs"],
  ["NODE_OPTIONS", "--require /app/tracing.js", "/app/uploads"],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "1"],
  ["NODE_EXTRA_CA_CERTS", "/etc/ssl/ca.pem"],
  ["LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"],
  ["LD_PRELOAD", "libjemalloc.so.2"],
  ["LD_PRELOAD", ""],
  ["LD_LIBRARY_PATH", "/usr/local/nvidia/lib:/usr/local/nvidia/lib64"],
  ["PATH", "/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  ["PATH", "/home/node/.npm-global/bin:$(PATH)"],
  ["PYTHONPATH", "/app"],
  ["PYTHONPATH", "/app/src:/app/lib", "/tmp"],
  ["PYTHONUNBUFFERED", "1"],
  ["JAVA_TOOL_OPTIONS", "-Xmx96m -XX:MaxRAMPercentage=75.0 -XX:+ExitOnOutOfMemoryError -Duser.timezone=UTC"],
  ["JAVA_TOOL_OPTIONS", "-javaagent:/app/opentelemetry-javaagent.jar=key=value"],
  ["JAVA_OPTS", "-XX:OnOutOfMemoryError=kill"],
  ["RUBYOPT", "-W:no-deprecated --yjit"],
  ["OPENSSL_CONF", "/usr/lib/ssl/openssl.cnf"],
];

describe("environment variables", () => {
  it.each(BAD)("that load code from elsewhere are found: %s=%s", (name = "", value = "", mount) => {
    const [finding, ...more] = said(name, value, mount);
    expect(more).toEqual([]);
    expect(finding?.message).toContain(name);
    expect(finding?.fix).toContain(name);
  });

  it.each(GOOD)("that load what the image has pass: %s=%s", (name = "", value = "", mount) => {
    expect(said(name, value, mount)).toEqual([]);
  });

  it("that get their value from another object are found, and unknown ones are deferred", () => {
    const judge = (variable: Value) => outcome(loadedCode, "prod", podWith([variable]));
    const elsewhere = { configMapKeyRef: { name: "settings", key: "options" } };
    expect(judge({ name: "NODE_OPTIONS", valueFrom: elsewhere }).findings).toHaveLength(1);
    expect(judge({ name: "LOG_LEVEL", valueFrom: elsewhere }).findings).toEqual([]);
    expect(judge({ name: "NODE_OPTIONS", value: new Unknown("a") }).deferred).toHaveLength(1);
    expect(judge({ name: "LOG_LEVEL", value: new Unknown("a") }).deferred).toEqual([]);
  });
});
