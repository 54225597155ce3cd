import { commandsOf, type Command, type Part, type Word } from "./shell-script.ts";

// Names of programs:
// cspell:ignore bunx pipx nohup setsid gosu tini catatonit zcat fromhex

/** Programs that run a script. */
const SHELLS = /^(?:(?:ba|da|a|z|k)?sh|busybox)$/;
const INTERPRETERS = /^(?:python[\d.]*|node|perl|ruby|php|lua)$/;
/** Commands that run the rest of their line. */
const RUNNERS =
  /^(?:exec|env|nice|nohup|time|timeout|setsid|sudo|su-exec|gosu|command|xargs|tini|dumb-init|catatonit|!)$/;
const KEYWORDS = /^(?:if|then|else|elif|fi|do|done|while|until|esac|\{|\}|time)$/;
/** Words after which values stand. */
const TESTS = /^(?:for|case|in|function|\[\[?|test)$/;
/** Commands that only print, or change the spelling of, their input. */
const SPELLING = /^(?:printf|echo|base64|base32|xxd|rev|tr|sed|cut|awk|openssl|gunzip|zcat|gzip)$/;
const WRITABLE = /^(?:\/tmp\/|\/var\/tmp\/|\/dev\/shm\/)/;
/** Calls with which a program in another language runs a text. */
const RUNS_TEXT =
  /\b(?:exec|eval|compile|b64decode|fromhex|atob|unpack|__import__)\s*\(|Buffer\.from\(|\(\s*eval\s*\)|\beval\s+\w|\bnew\s+Function\b/;
/** A file by which bash opens a connection to another machine. */
const CONNECTION = /^\/dev\/(?:tcp|udp)\/(?!127\.|localhost\/|::1\/)/;
/** Programs that install and run packages of other places: an address, or what is not installed. */
const FETCHED = /^(?:(?:git\+)?(?:https?|ssh|git):\/\/|git@)/;

/** What a command line runs that its text does not show; `words` as the kernel gets them. Undefined words are unknown values. */
export function hiddenCommands(words: readonly (string | undefined)[]): readonly string[] {
  const asWord = (word: string | undefined): Word => [
    word === undefined ? { kind: "variable", name: "?" } : { kind: "text", text: word },
  ];
  return problemsOf({ words: words.map(asWord), input: undefined, writes: [] }, new Map(), new Set());
}

function problemsIn(script: string, known: Map<string, string>, written: Set<string>): readonly string[] {
  return commandsOf(script).flatMap((command) => problemsOf(command, known, written));
}

function problemsOf(command: Command, known: Map<string, string>, written: Set<string>): readonly string[] {
  const found: string[] = [];
  const words = [...command.words];
  for (const word of words) {
    const joined = word.find((part, at) => at > 0 && isConstant(part, known) && isConstant(word[at - 1], known));
    if (joined !== undefined) found.push(`${show(word)} is put together from constants`);
    for (const part of word)
      if (part.kind === "output") {
        if (isSpelling(part.script)) found.push(`$(${part.script}) hides a text`);
        found.push(...problemsIn(part.script, known, written));
      }
  }
  // Assignments before the command.
  while (words.length > 0) {
    const [first] = words[0] ?? [];
    const assigned = first?.kind === "text" ? /^([A-Za-z_]\w*)=/.exec(first.text) : null;
    if (assigned === null) break;
    const value = textOf(
      [
        { kind: "text", text: (first?.kind === "text" ? first.text : "").slice(assigned[0].length) },
        ...(words[0] ?? []).slice(1),
      ],
      known,
    );
    const [, name = ""] = assigned;
    if (value === undefined) known.delete(name);
    else known.set(name, value);
    words.shift();
  }
  for (const word of command.writes) {
    const path = textOf(word, known);
    if (path !== undefined) written.add(path);
  }
  found.push(...run(words, command.input, known, written));
  const connection = [...command.writes, ...words].map(show).find((word) => CONNECTION.test(word));
  if (connection !== undefined && SHELLS.test(show(words[0] ?? []).replace(/^.*\//, "")))
    found.push(`a shell runs what ${connection} sends`);
  return found;
}

function run(
  words: readonly Word[],
  input: Command | undefined,
  known: Map<string, string>,
  written: Set<string>,
): readonly string[] {
  const [head = [], ...rest] = words;
  if (words.length === 0) return [];
  const name = textOf(head, known);
  const shown = show(head);
  const base = name?.replace(/^.*\//, "") ?? baseOf(head);
  if (
    base === undefined ||
    (name !== undefined && head.length > 1 && head.filter(({ kind }) => kind !== "text").length > 1)
  )
    return /^\$(?:@|\*|\{@\}|0)$/.test(shown) ? [] : [`the command ${shown} is put together when it runs`];
  if (TESTS.test(base)) return [];
  if (KEYWORDS.test(base)) return run(rest, input, known, written);
  const options = rest.find(
    (word) => show(word).startsWith("-") && /^-{1,2}[^=]*\$/.test(show(word)) && !/^-{1,2}\w[\w-]*=/.test(show(word)),
  );
  const found: string[] =
    options === undefined || isNegation(options) ? [] : [`the option ${show(options)} is put together when it runs`];
  if (RUNNERS.test(base)) {
    const at = rest.findIndex((word) => !/^-|^\d|^\w+=/.test(show(word)));
    return at < 0 ? found : [...found, ...run(rest.slice(at), input, known, written)];
  }
  if (base === "eval") {
    const text = joined(rest, known);
    return text === undefined ? [`eval runs ${rest.map(show).join(" ")}`] : problemsIn(text, known, written);
  }
  if (base === "." || base === "source")
    return rest[0] !== undefined && textOf(rest[0], known) === undefined && baseOf(rest[0]) === undefined
      ? [`${base} reads ${show(rest[0])}`]
      : [];
  if (SHELLS.test(base) || INTERPRETERS.test(base))
    return [...found, ...interpreted(base, rest, input, known, written)];
  if (fetches(base, rest)) return [...found, `${base} runs what it downloads`];
  if (base === "curl" || base === "wget")
    rest.forEach((word, at) => {
      const target = rest[at + 1];
      if (/^-\w*[oO]$|^--output(-document)?$/.test(show(word)) && target !== undefined)
        written.add(textOf(target, known) ?? "");
    });
  if (name !== undefined && (WRITABLE.test(name) || written.has(name)))
    found.push(`${name} is a file that is made when it runs`);
  return found;
}

/** Whether a package manager or a runtime gets its program from elsewhere, without a lock file of the image. */
function fetches(base: string, rest: readonly Word[]): boolean {
  const words = rest.map(show);
  if (
    /^(?:npx|bunx|pnpx)$/.test(base) ||
    (/^(?:npm|pnpm|yarn|bun)$/.test(base) && /^(?:exec|dlx|x)$/.test(words[0] ?? ""))
  )
    return words.some((word) => /^(?:-y|--yes|-p|--package(?:=.*)?|dlx)$/.test(word) || FETCHED.test(word));
  if (/^(?:pip[\d.]*|uvx?|pipx|npm|pnpm|yarn|gem|cargo|go|deno|bun)$/.test(base))
    return words.some((word) => FETCHED.test(word) || (base === "go" && /^[\w.-]+\.\w+\/.+@/.test(word)));
  return false;
}

/** A shell or another interpreter: its program is an option, a file, or its input. */
function interpreted(
  base: string,
  given: readonly Word[],
  input: Command | undefined,
  known: Map<string, string>,
  written: Set<string>,
): readonly string[] {
  const rest = base === "busybox" && SHELLS.test(show(given[0] ?? [])) ? given.slice(1) : given;
  const inline = SHELLS.test(base) ? /^-[a-z]*c[a-z]*$/ : /^(?:-c|-e|--eval|-r|-p|-pe|-ne)$/;
  const at = rest.findIndex((word) => inline.test(show(word)));
  const program = at < 0 ? undefined : rest[at + 1];
  if (program !== undefined) {
    const text = textOf(program, known);
    if (text === undefined) return [`${base} runs ${show(program)}`];
    if (SHELLS.test(base)) return problemsIn(text, new Map(known), written);
    return RUNS_TEXT.test(text) ? [`${base} runs a text that its program makes`] : [];
  }
  const file = rest.find((word) => !/^[-+]/.test(show(word)));
  if (file === undefined || show(file) === "-")
    return input === undefined || base === "busybox" ? [] : [`${base} runs what ${show(input.words[0] ?? [])} prints`];
  const path = textOf(file, known);
  if (path !== undefined && (WRITABLE.test(path) || written.has(path)))
    return [`${path} is a file that is made when it runs`];
  return show(file).includes("<(") ? [`${base} runs what another command prints`] : [];
}

/** Whether a script only spells a constant in another way. */
function isSpelling(script: string): boolean {
  const commands = commandsOf(script);
  return (
    commands.length > 0 &&
    commands.every(
      ({ words }) =>
        SPELLING.test(show(words[0] ?? [])) &&
        words.every((word) => word.every(({ kind }) => kind === "text")) &&
        !words.slice(1).some((word) => show(word).startsWith("/")),
    ) &&
    /^(?:printf|echo)$/.test(show(commands[0]?.words[0] ?? []))
  );
}

function isConstant(part: Part | undefined, known: ReadonlyMap<string, string>): boolean {
  return part?.kind === "variable" && known.has(part.name);
}

function isNegation(word: Word): boolean {
  return /^-\$|^-\d/.test(show(word)) && word.length === 2 && !/[a-z]/i.test(show(word).replace(/\$\{?\w+\}?/g, ""));
}

function joined(words: readonly Word[], known: ReadonlyMap<string, string>): string | undefined {
  const texts = words.map((word) => textOf(word, known));
  return texts.includes(undefined) ? undefined : texts.join(" ");
}

function textOf(word: Word, known: ReadonlyMap<string, string>): string | undefined {
  const texts = word.map((part) =>
    part.kind === "text" ? part.text : part.kind === "variable" ? known.get(part.name) : undefined,
  );
  return texts.includes(undefined) ? undefined : texts.join("");
}

/** The last name of a path that begins with a variable: `$JAVA_HOME/bin/java`. */
function baseOf(word: Word): string | undefined {
  const last = word.at(-1);
  return last?.kind === "text" && last.text.includes("/") ? last.text.replace(/^.*\//, "") : undefined;
}

function show(word: Word): string {
  return word
    .map((part) =>
      part.kind === "text" ? part.text : part.kind === "variable" ? `$${part.name}` : `$(${part.script})`,
    )
    .join("");
}
