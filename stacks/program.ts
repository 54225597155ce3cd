import { NO_RECORDS, type Records } from "./records.ts";
import type { Settings } from "./settings.ts";

/**
 * Declares everything a stack consists of and returns its outputs. Each environment is loaded when it is asked for: the
 * Kubernetes SDK alone takes as long to load as the whole local stack takes to declare.
 */
export async function buildStack(settings: Settings, records: Records = NO_RECORDS): Promise<Record<string, unknown>> {
  switch (settings.environment) {
    case "local":
      return (await import("./local.ts")).local(settings, records);
    case "staging":
      return (await import("./staging.ts")).staging(settings, records);
    case "prod":
      return (await import("./prod.ts")).prod(settings, records);
  }
}
