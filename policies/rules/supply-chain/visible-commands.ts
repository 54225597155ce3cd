import { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule, type Subject } from "../../model/rule.ts";
import { UnknownTruth } from "../../model/truth.ts";
import { isContainer } from "../../reading/containers.ts";
import { podsOf } from "../../reading/kubernetes/pods.ts";
import { hiddenCommands } from "../../reading/shell.ts";

/** What a container runs is in the declaration, or in its image. */
export const visibleCommands: ResourceRule = {
  name: "visible-commands",
  title: "A command runs what the declaration shows, or what the image contains",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "The rule reads the shell scripts in commands, arguments, entry points, probes and hooks. It refuses a command or the name of an option that is put together when it runs (`a=user; b=add; $a$b …`), a constant that is spelt another way (`$(printf …)`, `$(echo … | base64 -d)`), `eval` of a value, a shell that reads what another command prints (`curl … | sh`, `bash <(…)`), a file that the script itself makes or downloads and runs, a package manager that runs what it downloads from an address (`npx --yes`, `pip install https://…`), a shell that another machine controls (`bash -i >& /dev/tcp/…`), and programs in other languages that run a text that they decode or get. Values of variables and outputs of commands may be arguments.",
  references: [
    { standard: "NIST SP 800-190", item: "4.1.5 Use of untrusted images" },
    { standard: "MITRE ATT&CK", item: "T1027 Obfuscated Files or Information" },
  ],
  concerns: (resource) => isContainer(resource) || resource.type.startsWith("kubernetes:"),
  *check(subject) {
    for (const { at, words } of commandLines(subject)) {
      const unknown = words.filter(({ state }) => state === "unknown");
      const read = (otherwise?: string) => hiddenCommands(words.map((word) => textOf(word) ?? otherwise));
      // A value that is not known yet can be an argument; as a program or a script, it is judged later.
      const [problem] = read("value");
      const open = problem === undefined && unknown.length > 0 && read().length > 0;
      yield judge(
        subject,
        at,
        open ? new UnknownTruth(unknown.map(({ path }) => path)) : problem === undefined,
        problem ?? "the command is not known",
        "write the command as it runs, or put it into the image",
      );
    }
  },
};

interface CommandLine {
  readonly at: Reader;
  readonly words: readonly Reader[];
}

function textOf({ text, number }: Reader): string | undefined {
  return text ?? (number === undefined ? undefined : String(number));
}

function* commandLines(subject: Subject): Generator<CommandLine> {
  const line = (at: Reader, ...lists: readonly Reader[]): CommandLine[] => {
    const words = lists.flatMap((list) => list.each());
    if (words.length === 0) return [];
    // Without a program, the entry point of the image may be a shell.
    return [{ at, words: words[0]?.matches(/^-[a-z]*c$/) === true ? [SHELL, ...words] : words }];
  };
  if (isContainer(subject.resource)) {
    const { inputs } = subject;
    yield* line(inputs.at("command"), inputs.at("entrypoints"), inputs.at("command"));
    const tests = inputs.at("healthcheck", "tests");
    const [kind, ...test] = tests.each();
    if (kind?.is("CMD-SHELL") === true) yield { at: tests, words: [SHELL, Reader.of("-c"), ...test] };
    else if (kind?.is("CMD") === true && test.length > 0) yield { at: tests, words: test };
  }
  for (const pod of podsOf(subject))
    for (const { reader } of pod.containers) {
      yield* line(reader, reader.at("command"), reader.at("args"));
      for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"])
        yield* line(reader.at(probe, "exec", "command"), reader.at(probe, "exec", "command"));
      for (const hook of ["postStart", "preStop"])
        yield* line(reader.at("lifecycle", hook, "exec"), reader.at("lifecycle", hook, "exec", "command"));
    }
}

const SHELL = Reader.of("sh");
