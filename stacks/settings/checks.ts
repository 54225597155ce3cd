import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { z } from "zod";
import { isTimeZone } from "../../contract/cron/zones.ts";
import { gateQuery } from "../../contract/gates.ts";
import { hookDefinition, isSafeTransport } from "../../contract/hooks.ts";

/**
 * Checks of single values. Each turns the raw string of the configuration into its typed value or says in a few words
 * what is wrong with it; the message never repeats the value, which may be a secret.
 */

const issue = (message: string) => ({ error: message });

export const text = z.string().min(1, issue("is empty"));

export const boolean = z
  .enum(["true", "false"], issue("is neither true nor false"))
  .transform((value) => value === "true");

/** A whole number within bounds, both included. */
export function integer(min: number, max: number, unit = "") {
  const range = `is not a whole number from ${min} to ${max}${unit === "" ? "" : ` ${unit}`}`;
  return z
    .string()
    .regex(/^-?\d+$/, issue(range))
    .transform(Number)
    .refine((value) => value >= min && value <= max, issue(range));
}

/** A number within bounds, both included. */
export function decimal(min: number, max: number) {
  const range = `is not a number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?\d+(\.\d+)?$/, issue(range))
    .transform(Number)
    .refine((value) => value >= min && value <= max, issue(range));
}

/** A TCP port that a non-root process may listen on. */
export const port = integer(1, 65535).refine(
  (value) => value >= 1024,
  issue("is a privileged port: use 1024 to 65535"),
);

/** An absolute URL of one of the given schemes (without colon), without user information. */
export function url(...schemes: readonly string[]) {
  return z.string().superRefine((value, context) => {
    if (!URL.canParse(value)) {
      context.addIssue({ code: "custom", message: `is not a URL (${schemes.join(" or ")})` });
      return;
    }
    const parsed = new URL(value);
    if (!schemes.includes(parsed.protocol.slice(0, -1)))
      context.addIssue({
        code: "custom",
        message: `must be ${schemes.map((scheme) => `${scheme}:`).join(" or ")}, not ${parsed.protocol}`,
      });
    if (parsed.username !== "" || parsed.password !== "")
      context.addIssue({ code: "custom", message: "carries a user name or password" });
    if (parsed.hostname === "") context.addIssue({ code: "custom", message: "names no host" });
  });
}

/** An address that is a secret itself: https, or http to this machine alone. */
export const secretUrl = url("https", "http").refine(
  isSafeTransport,
  issue("uses http: to another machine, where traffic can be intercepted: use https:"),
);

/** PagerDuty's key of an integration on a service; keys of rulesets begin with R and take no change events. */
export const changeEventKey = z
  .string()
  .regex(/^[\x21-\x7e]{32}$/, issue("is not a key of 32 characters"))
  .refine((value) => !value.startsWith("R"), issue("is a ruleset's key (R…), which takes no change events"));

/** A signing key as the Standard Webhooks specification has it: `whsec_` and 24 to 64 bytes in base64. */
export const webhookSecret = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, issue("is not whsec_ followed by base64"))
  .refine((value) => {
    const { length } = Buffer.from(value.slice("whsec_".length), "base64");
    return length >= 24 && length <= 64;
  }, issue("is not a key of 24 to 64 bytes"));

/** `name:tag` or `name@sha256:…`, as Docker's reference grammar has it. */
export const imageReference = z
  .string()
  .regex(
    /^(?:[a-z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/,
    issue("is not an image reference (name:tag or name@sha256:…)"),
  )
  .refine((value) => value.includes("@sha256:") || /:[^/]+$/.test(value), issue("names neither a tag nor a digest"));

/** Whether a reference pins its image by digest. */
export function hasDigest(reference: string): boolean {
  return /@sha256:[0-9a-f]{64}$/.test(reference);
}

/** DNS label (RFC 1123), as names of namespaces and instances have to be. */
export const dnsLabel = z
  .string()
  .max(40, issue("is longer than 40 characters"))
  .regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, issue("is not a DNS label (lower-case letters, digits, hyphens)"));

/** A host name of at least two labels. */
export const hostname = z
  .string()
  .max(253, issue("is longer than 253 characters"))
  // A top-level domain is letters, or an international one in its ASCII form (RFC 5890).
  .regex(
    /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{0,57}[a-z0-9])$/,
    issue("is not a host name"),
  );

/** A time zone of the IANA database, e.g. `Europe/Berlin`. */
export const timeZone = z
  .string()
  .refine(isTimeZone, issue("is not an IANA time zone, in its own spelling, such as UTC or Europe/Berlin"));

/** A key for HMAC-SHA-256: RFC 7518, section 3.2, asks for at least 256 bits. */
export const hmacKey = z
  .string()
  .refine((value) => Buffer.byteLength(value) >= 32, issue("is shorter than 32 bytes (RFC 7518, section 3.2)"));

/** Versions of migrations, `<lowest>..<highest>`; either may be left out. */
export const migrationRange = z
  .string()
  .refine(
    (value) => /^(\d{14})?\.\.(\d{14})?$/.test(value) && value !== "..",
    issue("is not a range of migrations such as 20261101090000..20261101090600"),
  );

/** A connection string of PostgreSQL with user and host. The message must not repeat it. */
export const postgresUrl = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && /^postgres(ql)?:$/.test(url.protocol) && url.hostname !== "" && url.username !== "";
}, issue("is not a PostgreSQL connection string with user and host"));

/** X.509 certificates in PEM. */
export const certificates = z.string().superRefine((value, context) => {
  const blocks = value.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const rest = blocks.reduce((left, block) => left.replace(block, ""), value).trim();
  if (blocks.length > 0 && rest === "" && blocks.every(isCertificate)) return;
  context.addIssue({ code: "custom", message: "is not a list of certificates in PEM" });
});

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

/** One of the given words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(...words: Words) {
  return z.enum(words, issue(`is none of ${words.join(", ")}`));
}

/** Public address ranges in CIDR notation, separated by commas. */
export const cidrs = z.string().transform((value, context) => {
  const ranges = value.split(",").map((range) => range.trim());
  for (const range of ranges) {
    const [address = "", bits = "", ...rest] = range.split("/");
    const version = isIP(address);
    const most = version === 4 ? 32 : 128;
    if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > most) {
      context.addIssue({ code: "custom", message: "is not a list of address ranges such as 203.0.113.0/24" });
      return z.NEVER;
    }
  }
  return ranges;
});

/** Hosts with their ports, separated by commas. */
export const hostsAndPorts = z.string().transform((value, context) => {
  const hosts = value.split(",").map((host) => host.trim());
  if (hosts.every((host) => /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?:[1-9]\d{0,4}$/.test(host))) return hosts;
  context.addIssue({ code: "custom", message: "is not a list of hosts with ports such as api.example.com:443" });
  return z.NEVER;
});

/** JSON of a list whose entries have names that differ. @param what one entry, in a few words */
function namedList<Entry extends z.ZodType<{ readonly name: string }>>(entry: Entry, what: string) {
  return z.string().transform((value, context): z.output<Entry>[] => {
    const refuse = (message: string): never => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    let json: unknown;
    try {
      json = JSON.parse(value);
    } catch {
      return refuse("is not JSON");
    }
    const { data, error } = z.array(entry).safeParse(json);
    if (error !== undefined) {
      const [first] = error.issues;
      return refuse(`is not right at ${first?.path.join(".") ?? "its root"}: ${first?.message ?? ""}`);
    }
    const twice = data.find(({ name }, index) => data.findIndex((each) => each.name === name) < index);
    return twice === undefined ? data : refuse(`has two ${what}s named ${twice.name}`);
  });
}

/** JSON of the gates of the user's own. */
export const gateQueries = namedList(gateQuery, "gate");

/** JSON of the hooks of a rollout. */
export const rolloutHooks = namedList(hookDefinition, "hook");
