import { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule, type Subject } from "../../model/rule.ts";
import { isContainer } from "../../reading/containers.ts";
import { podsOf } from "../../reading/kubernetes/pods.ts";
import { loadedBy } from "../../reading/loaded-code.ts";

/** An environment variable loads no code that the image does not have. */
export const loadedCode: ResourceRule = {
  name: "loaded-code",
  title: "Environment variables load code from the image only, and keep the test of certificates",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Interpreters and the dynamic linker load code by variables such as `LD_PRELOAD`, `LD_LIBRARY_PATH`, `NODE_OPTIONS`, `PYTHONPATH`, `JAVA_TOOL_OPTIONS`, `PERL5LIB`, `RUBYOPT` and `BASH_ENV`: a program that is signed and scanned then runs what no scan has seen. A path is that of the image if it is below a folder where images keep programs (`/app`, `/usr`, `/opt`, `/lib`, `/home/NAME` and others) and below no mounted volume. `LD_PRELOAD` may have allocators of memory only (jemalloc, tcmalloc, mimalloc). Options of Node and Java may name a package, a file next to the program or a file of the image, and must not open a debugger (`--inspect`, `-agentlib:jdwp`), run a command on an error, or switch to old TLS. `NODE_TLS_REJECT_UNAUTHORIZED=0`, `PYTHONHTTPSVERIFY=0` and `GIT_SSL_NO_VERIFY` let anyone answer for a server.",
  references: [
    { standard: "NIST SP 800-190", item: "4.1.5 Use of untrusted images" },
    { standard: "MITRE ATT&CK", item: "T1574.006 Dynamic Linker Hijacking" },
  ],
  concerns: (resource) => isContainer(resource) || resource.type.startsWith("kubernetes:"),
  *check(subject) {
    for (const { at, name, value, volumes } of variables(subject)) {
      // Any value of another object would do: what it has later is not judged.
      const problem =
        value === undefined
          ? loadedBy(name, ELSEWHERE, volumes) && `${name} loads code that another object names`
          : loadedBy(name, value.text ?? "", volumes);
      const unread = value?.state === "unknown" && loadedBy(name, ELSEWHERE, volumes) !== undefined;
      yield judge(
        subject,
        at,
        unread ? value.isPresent : problem === undefined,
        problem ?? `${name} may load code`,
        `remove ${name}, or name a folder of the image that is not a volume`,
      );
    }
  },
};

/** A value that is wrong for each variable that names paths. */
const ELSEWHERE = "/tmp/elsewhere --inspect -agentlib:jdwp -e";

interface Variable {
  readonly at: Reader;
  readonly name: string;
  /** Undefined if it comes from another object. */
  readonly value: Reader | undefined;
  /** Where volumes are mounted in the container. */
  readonly volumes: readonly string[];
}

function* variables(subject: Subject): Generator<Variable> {
  const paths = (list: Reader, field: string) => list.each().flatMap((each) => each.at(field).text ?? []);
  if (isContainer(subject.resource)) {
    const { inputs } = subject;
    const volumes = [...paths(inputs.at("volumes"), "containerPath"), ...paths(inputs.at("mounts"), "target")];
    for (const at of inputs.at("envs").each()) {
      const [, name = "", value = ""] = /^([^=]*)=(.*)$/s.exec(at.text ?? "") ?? [];
      if (name !== "") yield { at, name, value: Reader.of(value, at.path), volumes };
    }
  }
  for (const pod of podsOf(subject))
    for (const { reader } of pod.containers) {
      const volumes = paths(reader.at("volumeMounts"), "mountPath");
      for (const at of reader.at("env").each()) {
        const value = at.at("valueFrom").isPresent === true ? undefined : at.at("value");
        yield { at, name: at.at("name").text ?? "", value, volumes };
      }
    }
}
