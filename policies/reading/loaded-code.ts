import { posix } from "node:path";

// Options and libraries:
// cspell:ignore agentlib agentpath bootclasspath CORECLR CPATH DYLD GCONV PERLLIB PHPRC RUBYLIB RUBYOPT Djava Dcom
// cspell:ignore javaagent jmxremote libjemalloc libmimalloc libtcmalloc libx nix venv classpath Xrun Xbootclasspath Xdebug

/** Variables that name files or folders whose code a program runs, one or several with colons between them. */
const PATHS: ReadonlySet<string> = new Set([
  "CLASSPATH",
  "DOTNET_ADDITIONAL_DEPS",
  "DOTNET_STARTUP_HOOKS",
  "CORECLR_PROFILER_PATH",
  "GCONV_PATH",
  "GEM_PATH",
  "GIT_EXEC_PATH",
  "LD_LIBRARY_PATH",
  "LUA_CPATH",
  "LUA_PATH",
  "NODE_PATH",
  "OPENSSL_CONF",
  "OPENSSL_ENGINES",
  "OPENSSL_MODULES",
  "PATH",
  "PERL5LIB",
  "PERLLIB",
  "PHPRC",
  "PHP_INI_SCAN_DIR",
  "PYTHONHOME",
  "PYTHONPATH",
  "PYTHONSTARTUP",
  "RUBYLIB",
]);
/** Variables that run a text or a file before the program does. No program needs them to run. */
const STARTED: ReadonlySet<string> = new Set([
  "BASH_ENV",
  "GIT_SSH_COMMAND",
  "LD_AUDIT",
  "LUA_INIT",
  "PERL5DB",
  "PROMPT_COMMAND",
  "PYTHONBREAKPOINT",
  "PYTHONINSPECT",
]);
/** Variables that switch the test of certificates off, with the values that do. */
const UNVERIFIED: Readonly<Record<string, RegExp>> = {
  GIT_SSL_NO_VERIFY: /^(?!(?:false|0|no|off)?$)/i,
  NODE_TLS_REJECT_UNAUTHORIZED: /^0$/,
  PYTHONHTTPSVERIFY: /^0$/,
};
/** Variables with options of an interpreter. */
const OPTIONS: Readonly<Record<string, (words: readonly string[]) => Iterable<string | Path>>> = {
  NODE_OPTIONS: nodeOptions,
  JAVA_TOOL_OPTIONS: javaOptions,
  JDK_JAVA_OPTIONS: javaOptions,
  _JAVA_OPTIONS: javaOptions,
  JAVA_OPTS: javaOptions,
  RUBYOPT: shortOptions,
  PERL5OPT: shortOptions,
};

/** A file or folder that a program runs code of. */
class Path {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

/** Where images keep programs: their own folders, and those that guides of the languages use. */
const IMAGE =
  /^\/(?:\.?venv|app|bin|cnb|code|function|go|layers|lib|lib32|lib64|libx32|nix|opt|project|rails|root|sbin|srv|usr|workspace|var\/(?:lang|runtime|task)|home\/\w+)(?:\/|$)/;
/** Allocators of memory, which programs preload; other libraries are not known. */
const ALLOCATOR = /^lib(?:jemalloc|tcmalloc(?:_minimal)?|mimalloc(?:-secure)?)\.so(?:\.\d+)*$/;

/**
 * What is wrong with an environment variable that makes a program load code, or trust every server; undefined for all others.
 *
 * @param volumes where volumes are mounted, whose files are not those of the image
 */
export function loadedBy(name: string, value: string, volumes: readonly string[]): string | undefined {
  if (STARTED.has(name)) return value === "" ? undefined : `${name} runs code before the program`;
  if (Object.hasOwn(UNVERIFIED, name))
    return UNVERIFIED[name]?.test(value) === true ? `with ${name}, the program trusts every server` : undefined;
  if (name === "LD_PRELOAD" || name === "DYLD_INSERT_LIBRARIES") {
    const files = value.split(/[\s:]+/).filter((file) => file !== "");
    const other = files.find((file) => !ALLOCATOR.test(posix.basename(file)));
    if (other !== undefined) return `${name} loads ${other} into every program`;
    return files.flatMap((file) => (file.includes("/") ? (foreign(name, file, volumes) ?? []) : [])).at(0);
  }
  if (PATHS.has(name))
    // An empty part is the folder in which the program starts, as every relative one is.
    return (value === "" ? [] : value.split(":")).flatMap((part) => foreign(name, part, volumes) ?? []).at(0);
  const read = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (read === undefined) return undefined;
  const words = value.split(/\s+/).filter((word) => word !== "");
  for (const found of read(words.map((word) => word.replaceAll(/["']/g, "")))) {
    const problem = typeof found === "string" ? `${name} has ${found}` : foreign(name, found.path, volumes);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Why code of a path is not that of the image. */
function foreign(name: string, path: string, volumes: readonly string[]): string | undefined {
  // References to other variables, which keep what the image has: `/app/lib:$(PYTHONPATH)`.
  if (/^\$(?:\(\w+\)|\{\w+\}|\w+)$/.test(path)) return undefined;
  const whole = posix.normalize(path);
  if (!whole.startsWith("/") || !IMAGE.test(whole))
    return `${name} loads code from ${path === "" ? "the folder in which the program starts" : path}, which is not a folder of programs of the image`;
  const volume = volumes.find((each) => whole === each || whole.startsWith(`${each.replace(/\/$/, "")}/`));
  return volume === undefined ? undefined : `${name} loads code from ${path}, which is in the volume at ${volume}`;
}

/** Options of Node that load a module: the next word, or what follows the sign of equality, is its name. */
const LOADING = /^(?:-r|-C|--require|--import|--loader|--experimental-loader|--env-file|--env-file-if-exists)$/;

function* nodeOptions(words: readonly string[]): Generator<string | Path> {
  for (let index = 0; index < words.length; index++) {
    const [option = "", ...rest] = (words[index] ?? "").split("=");
    if (LOADING.test(option)) {
      const module = rest.length > 0 ? rest.join("=") : (words[++index] ?? "");
      if (/^(?:data|https?):|^\.\.|\/\.\.(?:\/|$)/.test(module)) yield `${option} ${module}`;
      else if (/^(?:file:\/\/)?\//.test(module)) yield new Path(module.replace(/^file:\/\//, ""));
      // A name of a package, or a file next to the program.
    } else if (/^--(?:inspect|debug)/.test(option)) yield `${option}, which lets others debug the program`;
    else if (/^--(?:tls-min-v1\.[01]|security-revert|insecure-http-parser)$/.test(option)) yield option;
    else if (/^--(?:openssl-config|icu-data-dir|snapshot-blob)$/.test(option))
      yield new Path(rest.length > 0 ? rest.join("=") : (words[++index] ?? ""));
  }
}

function* javaOptions(words: readonly string[]): Generator<string | Path> {
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const [, agent] = /^-(?:javaagent|agentpath):([^=]*)/.exec(word) ?? [];
    const [, path] =
      /^-(?:Xbootclasspath(?:\/[ap])?:|Djava\.(?:library|class)\.path=|XX:VMOptionsFile=|XX:Flags=)(.*)$/.exec(word) ??
      [];
    if (agent !== undefined) yield new Path(agent);
    else if (path !== undefined) for (const part of path.split(":")) yield new Path(part);
    else if (/^(?:-cp|-classpath|--class-path|--module-path|-p)$/.test(word)) {
      for (const part of (words[++index] ?? "").split(":")) yield new Path(part);
    } else if (word.startsWith("@")) yield new Path(word.slice(1));
    else if (/^-(?:agentlib:|Xrun|Xdebug)/.test(word)) yield `${word}, which lets others debug or watch the program`;
    else if (/^-XX:On(?:OutOfMemory)?Error=(?!kill\b)/.test(word)) yield `${word}, which runs a command`;
    else if (/^-Dcom\.sun\.management\.jmxremote\.authenticate=false$/.test(word)) yield word;
  }
}

/** Options of Ruby and Perl: warnings and encodings load nothing; `-I` names folders, `-r` and `-M` modules. */
function* shortOptions(words: readonly string[]): Generator<string | Path> {
  for (const word of words) {
    const [, path] = /^-I=?(.+)$/.exec(word) ?? [];
    const [, module] = /^-[rMm]-?(.+)$/.exec(word) ?? [];
    if (path !== undefined) yield new Path(path);
    else if (module !== undefined && /^[./]/.test(module)) yield new Path(module);
    else if (/^-[ed]/.test(word)) yield word;
  }
}
