import type { SourcePosition } from "../../../contract/graph.ts";
import { credentialIn } from "../../../contract/secrets/credentials.ts";
import { isEncrypted } from "../../../contract/secrets/shapes.ts";
import { databaseRule } from "../../model/database-rule.ts";
import { Reader } from "../../model/reader.ts";
import { judgeAt, type Verdict } from "../../model/rule.ts";
import type { Truth } from "../../model/truth.ts";
import { isMostOfTheInternet } from "../../reading/metadata-addresses.ts";
import { understood } from "../../reading/options.ts";
import { EXPOSED, SEARCHED } from "../../reading/supabase/api-schemas.ts";
import type { SupabaseConfig } from "../../reading/supabase/config.ts";
import { UNDERSTOOD } from "../../reading/supabase/understood.ts";

/** Settings whose value is a secret; below some sections, each is. */
const SECRET =
  /^(?:db\.(?:root_key|vault\..+)|edge_runtime\.secrets\..+|functions\..+\.env\..+|studio\.openai_api_key|experimental\.s3_(?:access|secret)_key|auth\.(?:jwt_secret|service_role_key|secret_key|captcha\.secret|email\.smtp\.pass|hook\..+\.secrets|external\..+\.secret|sms\.\w+\.(?:auth_token|access_key|api_key|api_secret)))$/;
/** Keys that browsers get, texts of mails, and digests of packages. */
const OPEN = /(?:^|\.)(?:anon_key|publishable_key|content|template|subject|client_id)$/;

/** One answer about a setting. */
interface Answer {
  readonly path: readonly string[];
  readonly holds: Truth;
  readonly message: string;
  readonly fix: string;
  /** Whether a comment in the file may declare it as meant. */
  readonly declarable?: boolean;
}

/** The settings of the Supabase CLI open nothing. */
export const supabaseConfig = databaseRule(
  {
    name: "supabase-config",
    title: "The settings of the Supabase CLI open nothing and contain no secret",
    level: "mandatory",
    documentation: `\`supabase start\`, \`config push\`, \`functions deploy\`, \`seed buckets\` and branches of a hosted project take \`supabase/config.toml\`, also each \`[remotes.*]\` section over the others. The rule knows the settings of the CLI; another one is a finding until it is understood. Checked are the exposed schemas (${EXPOSED.map((name) => `\`${name}\``).join(", ")}) and the search path, functions that take requests without a token, tokens of other issuers, fixed one-time passwords, addresses of sign-in and hooks, paths out of the folder, the life of tokens, migrations that are switched off, the address ranges of the database, and secrets in plain text: they are \`env(NAME)\` or \`encrypted:…\`. A value \`env(NAME)\` that decides about access is a finding, since it is known only where the CLI runs. What is meant is declared with a reason in the line above the setting, or above the section of a function: \`# declared: it verifies the signature of Stripe\`. This holds for schemas, functions, other issuers and one-time passwords. SQL files of \`[db.seed]\` are applied after the migrations and judged with them, and public buckets by \`storage-public-buckets\`. Out of scope are ports, limits of rates and sizes, and files of keys and certificates that the settings name: they open nothing, or are not in the repository.`,
    references: [
      { standard: "Supabase documentation", item: "CLI config reference; Securing your API; Edge Functions" },
    ],
    notApplicable: () => "the project has no supabase/config.toml",
  },
  function* ({ config }) {
    if (config === undefined) return;
    const place = { object: config.file, path: "", source: { file: config.file, line: 1 } };
    yield judgeAt(
      place,
      config.error === undefined,
      `it cannot be read: ${config.error ?? ""}`,
      "correct it: the Supabase CLI refuses it, too",
    );
    const known = new Set<string>();
    for (const { remote, values } of config.variants)
      for (const answer of answersOf(Reader.of(values))) {
        const verdict = verdictOf(config, answer, remote);
        const line = verdict.place.source?.line ?? 1;
        const name = `${line} ${answer.path.join(".")} ${answer.message}`;
        if (verdict.outcome !== "pass" && known.has(name)) continue;
        known.add(name);
        yield verdict;
      }
  },
);

/** A setting that would be a finding, but that the file declares as meant. */
export interface DeclaredSetting {
  /** File and path. */
  readonly subject: string;
  /** The reason. */
  readonly text: string;
  readonly source: SourcePosition;
}

/** What the comments of the settings declare as meant, in the order of the file. */
export function declaredSettings(config: SupabaseConfig | undefined): readonly DeclaredSetting[] {
  const found = new Map<string, DeclaredSetting>();
  for (const { remote, values } of config?.variants ?? [])
    for (const answer of answersOf(Reader.of(values))) {
      if (config === undefined || answer.holds === true) continue;
      const text = reasonOf(config, answer, remote);
      const { object, source } = placeOf(config, answer, remote);
      // A section of a remote repeats what is set for every project.
      const key = `${source.line} ${answer.path.join(".")}`;
      if (text !== undefined && !found.has(key)) found.set(key, { subject: object, text, source });
    }
  return [...found.values()].sort((one, other) => one.source.line - other.source.line);
}

function reasonOf(config: SupabaseConfig, { path, declarable }: Answer, remote: string | undefined) {
  return declarable === true ? config.lines.declared(path, remote) : undefined;
}

function placeOf(config: SupabaseConfig, { path }: Answer, remote: string | undefined) {
  return {
    object: `${config.file} ${remote === undefined ? "" : `remotes.${remote}.`}${path.join(".")}`,
    path: "",
    source: config.lines.at(path, remote),
  };
}

function verdictOf(config: SupabaseConfig, answer: Answer, remote: string | undefined): Verdict {
  const { holds, message, fix, declarable } = answer;
  const reason = reasonOf(config, answer, remote);
  const place = placeOf(config, answer, remote);
  const declare =
    declarable === true ? `; or, if it is meant, declare it in the line above: # declared: <the reason>` : "";
  return judgeAt(place, reason === undefined ? holds : true, message, `${fix}${declare}`);
}

function* answersOf(config: Reader): Generator<Answer> {
  for (const { at, holds, message, fix } of understood(config, UNDERSTOOD))
    yield { path: keysOf(at.path), holds, message, fix };
  yield* exposed(config.at("api"));
  yield* signIn(config.at("auth"));
  yield* database(config.at("db"));
  for (const [name, settings] of config.at("functions").entries())
    yield {
      path: ["functions", name, "verify_jwt"],
      holds: settings.at("verify_jwt").isAbsentOr(true),
      message: "the function accepts requests without a token",
      fix: "remove verify_jwt",
      declarable: true,
    };
  for (const leaf of config.leaves()) yield* secret(leaf);
}

function* exposed(api: Reader): Generator<Answer> {
  for (const [key, allowed, message] of [
    ["schemas", EXPOSED, "the REST API exposes a schema that is not for users"],
    ["extra_search_path", SEARCHED, "requests search a schema that is not for users"],
  ] as const)
    for (const schema of api.at(key).each())
      yield {
        path: ["api", key],
        holds: schema.is(...allowed),
        message: schema.text === undefined ? message : `${message}: ${schema.text}`,
        fix: `set it to ${JSON.stringify(allowed)}, or a part of it`,
        declarable: true,
      };
}

function* signIn(auth: Reader): Generator<Answer> {
  const at = (...path: readonly string[]) => ["auth", ...path];
  yield {
    path: at("enable_refresh_token_rotation"),
    holds: auth.at("enable_refresh_token_rotation").isAbsentOr(true),
    message: "a refresh token that was stolen stays valid",
    fix: "set it to true",
  };
  const least = auth.at("minimum_password_length");
  yield {
    path: at("minimum_password_length"),
    // Supabase refuses to set less than six itself.
    holds: least.state === "absent" || least.within(6, 72),
    message: "passwords of less than six characters are taken",
    fix: "set minimum_password_length to 12",
  };
  for (const [name, issuer] of auth.at("third_party").entries())
    yield {
      path: at("third_party", name, "enabled"),
      holds: issuer.at("enabled").isAbsentOr(false),
      message: `tokens of ${name} are accepted, and their claims are not Supabase's`,
      fix: "set enabled to false",
      declarable: true,
    };
  for (const [number] of auth.at("sms", "test_otp").entries())
    yield {
      path: at("sms", "test_otp", number),
      holds: false,
      message: "any reader of the repository can sign in with this number",
      fix: "remove the number",
      declarable: true,
    };
}

function* database(db: Reader): Generator<Answer> {
  for (const key of ["migrations", "ssl_enforcement"] as const)
    yield {
      path: ["db", key, "enabled"],
      holds: db.at(key, "enabled").isAbsentOr(true),
      message:
        key === "migrations"
          ? "the Supabase CLI skips the migrations, so what the rules judge does not run"
          : "the database accepts connections without encryption",
      fix: "set enabled to true",
    };
  yield {
    path: ["db", "seed", "enabled"],
    holds: db.at("seed", "enabled").isAbsentOr(true, false),
    message: "it is not known which SQL files run",
    fix: "set enabled to true or false",
  };
  for (const file of db.at("seed", "sql_paths").each())
    yield {
      path: ["db", "seed", "sql_paths"],
      holds: file.test((path) => typeof path === "string"),
      message: "it is not known which SQL files run",
      fix: "name the files",
    };
  const network = db.at("network_restrictions");
  if (network.at("enabled").isAbsentOr(false) === true) return;
  for (const key of ["allowed_cidrs", "allowed_cidrs_v6"])
    for (const range of network.at(key).each())
      yield {
        path: ["db", "network_restrictions", key],
        holds: range.test((given) => typeof given === "string" && !isMostOfTheInternet(given)),
        message: "every address may connect to the database",
        fix: "list the address ranges of the stack",
      };
}

/** A secret is not in the file; what has the shape of one is one, under any name. */
function* secret(leaf: Reader): Generator<Answer> {
  const { text } = leaf;
  if (text === undefined || text === "" || text.startsWith("encrypted:") || isEncrypted(text)) return;
  const path = leaf.path.replaceAll(/\[\d+\]/g, "");
  const keys = keysOf(leaf.path);
  const key = keys.at(-1) ?? "";
  const reason = SECRET.test(keys.join("."))
    ? "it is a secret in plain text"
    : OPEN.test(path)
      ? undefined
      : credentialIn(text, key, "field");
  if (reason === undefined) return;
  const variable = keys.join("_").toUpperCase().replaceAll(/\W/g, "_");
  yield {
    path: keys,
    holds: false,
    message: reason === "it is a secret in plain text" ? reason : `it may be a credential: ${reason}`,
    fix: `set it to "env(${variable})", and the variable where the Supabase CLI runs; replace the secret, which is in the history of the repository`,
  };
}

/** The keys of a path such as `storage.buckets["a b"].public`; places in lists are left out. */
function keysOf(path: string): string[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[[^\]]*\]|([^.[\]]+)/g)].flatMap(([, quoted, plain]) =>
    quoted !== undefined ? [JSON.parse(`"${quoted}"`) as string] : plain === undefined ? [] : [plain],
  );
}
