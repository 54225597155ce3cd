import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule, type Subject, type Verdict } from "../../model/rule.ts";
import { UnknownTruth, type Truth } from "../../model/truth.ts";
import { isMostOfTheInternet } from "../../reading/metadata-addresses.ts";
import { EXPOSED, SEARCHED } from "../../reading/supabase/api-schemas.ts";

const SETTINGS = "supabase:index/settings:Settings";

type Section = Readonly<Record<string, unknown>>;
type Check = readonly [section: string, holds: (section: Section) => boolean, message: string, fix: string];

const names = (value: unknown): string[] =>
  String(value)
    .split(",")
    .map((name) => name.trim().replaceAll('"', ""))
    .filter((name) => name !== "");
const isOff = (value: unknown) => value === undefined || value === false || value === "false";
const within = (value: unknown, most: number) => value === undefined || (Number(value) > 0 && Number(value) <= most);

const CHECKS: readonly Check[] = [
  [
    "api",
    ({ db_schema: schemas }) => schemas === undefined || names(schemas).every((name) => EXPOSED.includes(name)),
    "the REST API exposes a schema that is not for users",
    `set db_schema to ${EXPOSED.join(",")}, or a part of it`,
  ],
  [
    "api",
    ({ db_extra_search_path: path }) => path === undefined || names(path).every((name) => SEARCHED.includes(name)),
    "requests search a schema that is not for users",
    `set db_extra_search_path to ${SEARCHED.join(",")}, or a part of it`,
  ],
  ["api", ({ max_rows: rows }) => within(rows, 100_000), "a request may read any number of rows", "set max_rows"],
  [
    "api",
    ({ jwt_secret: key }) => key === undefined,
    "the key for tokens is a setting, which is not marked secret",
    "remove jwt_secret",
  ],
  [
    "auth",
    ({ site_url: url }) => url === undefined || url === "" || (typeof url === "string" && /^https:\/\//i.test(url)),
    "links in mails lead to an address without encryption",
    "set site_url to an https: address",
  ],
  [
    "auth",
    ({ uri_allow_list: list }) =>
      list === undefined || !names(list).some((each) => /^(?:\*|https?:\/\/\*|http:|javascript:|data:)/i.test(each)),
    "sign-in may redirect to any address, or to one without encryption, together with the tokens",
    "list the https: addresses of the application in uri_allow_list",
  ],
  [
    "auth",
    ({ jwt_exp: seconds }) => within(seconds, 86_400),
    "tokens are valid for more than a day",
    "set jwt_exp to 86400 or less",
  ],
  [
    "auth",
    ({ mailer_autoconfirm: mail, sms_autoconfirm: phone }) => isOff(mail) && isOff(phone),
    "anyone signs up with the address or the number of another person",
    "set mailer_autoconfirm and sms_autoconfirm to false",
  ],
  [
    "auth",
    ({ refresh_token_rotation_enabled: rotates }) => rotates === undefined || !isOff(rotates),
    "a refresh token that was stolen stays valid",
    "set refresh_token_rotation_enabled to true",
  ],
  [
    "auth",
    (section) =>
      !Object.entries(section).some(([key, value]) => /^hook_\w+_uri$/.test(key) && /^http:/i.test(String(value))),
    "a hook sends users and tokens without encryption",
    "use an https: or pg-functions: address for the hook",
  ],
  [
    "auth",
    ({ password_min_length: least }) => least === undefined || Number(least) >= 8,
    "passwords of less than eight characters are taken",
    "set password_min_length to 8 or more",
  ],
  [
    "auth",
    ({ sms_test_otp: numbers }) => numbers === undefined || numbers === null || numbers === "",
    "any reader of the settings can sign in with a number for tests",
    "remove sms_test_otp",
  ],
  [
    "network",
    // Two halves of all addresses are all of them, too.
    (section) =>
      !Object.values(section)
        .flat()
        .some((range) => typeof range === "string" && isMostOfTheInternet(range)),
    "every address may connect to the database",
    "list the address ranges of the stack, or remove the setting",
  ],
  [
    "database",
    ({ session_replication_role: role }) => role === undefined || role === "origin",
    "no trigger and no foreign key is applied",
    "remove session_replication_role",
  ],
];

/** The settings of a hosted database open nothing. */
export const supabaseSettings: ResourceRule = {
  name: "supabase-settings",
  title: "The settings of the Supabase project expose no other schema and no weak sign-in",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation: `The sections of the settings are JSON texts. The REST API exposes ${EXPOSED.map((name) => `\`${name}\``).join(" and ")} alone: in \`auth\`, \`storage\`, \`vault\` or a schema of the stack's own machinery, row-level security is not written for users. Checked are also the search path, the number of rows, the addresses of sign-in, the life of tokens, the confirmation of mail addresses and the address ranges of the database.`,
  references: [
    { standard: "Supabase documentation", item: "Securing your API; Auth settings; Network restrictions" },
    { standard: "OWASP ASVS 4.0", item: "2.1.1, 3.5.2" },
  ],
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => type === SETTINGS)
      ? undefined
      : "this stack sets no settings of a Supabase project",
  concerns: ({ type }) => type === SETTINGS,
  *check(subject) {
    for (const check of CHECKS) yield answered(subject, check);
  },
};

function answered(subject: Subject, [section, holds, message, fix]: Check): Verdict {
  const at = subject.inputs.at(section);
  return judge(subject, at, truth(at, holds), message, fix);
}

function truth(at: Reader, holds: (section: Section) => boolean): Truth {
  if (at.state === "absent") return true;
  if (at.state === "unknown") return new UnknownTruth([at.path]);
  try {
    const section: unknown = JSON.parse(at.text ?? "");
    return typeof section === "object" && section !== null && holds(section as Section);
  } catch {
    return false;
  }
}
