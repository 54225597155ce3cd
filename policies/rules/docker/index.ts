import type { Rule } from "../../model/rule.ts";
import { dockerCapabilities } from "./capabilities.ts";
import { healthCheck } from "./health-check.ts";
import { dockerHostNamespaces } from "./host-namespaces.ts";
import { limits } from "./limits.ts";
import { logs } from "./logs.ts";
import { mounts } from "./mounts.ts";
import { noNewPrivileges } from "./no-new-privileges.ts";
import { nonRoot } from "./non-root.ts";
import { options } from "./options.ts";
import { ownResources } from "./own-resources.ts";
import { ports } from "./ports.ts";
import { dockerPrivileged } from "./privileged.ts";
import { dockerReadOnlyRoot } from "./read-only-root.ts";
import { restart } from "./restart.ts";

/** Rules about Docker containers. In the order of reports. */
export const DOCKER_RULES: readonly Rule[] = [
  nonRoot,
  dockerPrivileged,
  dockerCapabilities,
  noNewPrivileges,
  dockerReadOnlyRoot,
  dockerHostNamespaces,
  options,
  mounts,
  ownResources,
  limits,
  ports,
  healthCheck,
  restart,
  logs,
];
