import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule, type Subject } from "../../model/rule.ts";
import { isContainer } from "../../reading/containers.ts";
import { podsOf } from "../../reading/kubernetes/pods.ts";
import { hiddenCommands } from "../../reading/shell.ts";

/** What a container runs is in the declaration, or in its image. */
export const visibleCommands: ResourceRule = {
  name: "visible-commands",
  title: "A command runs what the declaration shows, or what the image contains",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation:
    "The rule reads the shell scripts in commands, arguments, entry points, probes and hooks. Not understood are a command or the name of an option that is put together when it runs (`a=user; b=add; $a$b …`), a constant that is spelt another way (`$(printf …)`, `$(echo … | base64 -d)`), `eval` of a value, a shell that reads what another command prints (`curl … | sh`, `bash <(…)`), a file that the script itself makes or downloads and runs, and programs in other languages that run a text that they decode. Values of variables and outputs of commands may be arguments.",
  references: [
    { standard: "NIST SP 800-190", item: "4.1.5 Use of untrusted images" },
    { standard: "MITRE ATT&CK", item: "T1027 Obfuscated Files or Information" },
  ],
  concerns: (resource) => isContainer(resource) || resource.type.startsWith("kubernetes:"),
  *check(subject) {
    for (const { at, words } of commandLines(subject)) {
      const [problem] = hiddenCommands(words);
      yield judge(
        subject,
        at,
        problem === undefined,
        problem?.what ?? "",
        "write the command as it runs, or put it into the image",
      );
    }
  },
};

interface CommandLine {
  readonly at: Reader;
  /** Undefined where a value is unknown. */
  readonly words: readonly (string | undefined)[];
}

function* commandLines(subject: Subject): Generator<CommandLine> {
  const line = (...lists: readonly Reader[]): CommandLine[] => {
    const readers = lists.flatMap((list) => list.each());
    const words = readers.map(({ text, number }) => text ?? (number === undefined ? undefined : String(number)));
    const [at = lists[0]] = lists.filter((list) => list.each().length > 0);
    if (at === undefined || words.length === 0) return [];
    // Without a program, the entry point of the image may be a shell.
    return [{ at, words: /^-[a-z]*c$/.test(words[0] ?? "") ? ["sh", ...words] : words }];
  };
  if (isContainer(subject.resource)) {
    const { inputs } = subject;
    yield* line(inputs.at("entrypoints"), inputs.at("command"));
    const [kind, ...test] = inputs.at("healthcheck", "tests").each();
    if (kind?.is("CMD-SHELL") === true)
      yield { at: inputs.at("healthcheck", "tests"), words: ["sh", "-c", ...test.map(({ text }) => text)] };
    else if (kind?.is("CMD") === true)
      yield { at: inputs.at("healthcheck", "tests"), words: test.map(({ text }) => text) };
  }
  for (const pod of podsOf(subject))
    for (const { reader } of pod.containers) {
      yield* line(reader.at("command"), reader.at("args"));
      for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"])
        yield* line(reader.at(probe, "exec", "command"));
      for (const hook of ["postStart", "preStop"]) yield* line(reader.at("lifecycle", hook, "exec", "command"));
    }
}
