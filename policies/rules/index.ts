import { drills } from "./backups/drills.ts";
import { encryption } from "./backups/encryption.ts";
import { failureDomain } from "./backups/failure-domain.ts";
import { onTime } from "./backups/on-time.ts";
import { recoveryPoint } from "./backups/recovery-point.ts";
import { retention } from "./backups/retention.ts";
import { schedules } from "./backups/schedules.ts";
import { timeZones } from "./backups/time-zones.ts";
import { backedUpVolumes } from "./backups/volumes.ts";
import { anonGrants } from "./database/anon-grants.ts";
import { boundPolicies } from "./database/bound-policies.ts";
import { bypassRoles } from "./database/bypass-roles.ts";
import { definerFunctions } from "./database/definer-functions.ts";
import { destructive } from "./database/destructive.ts";
import { foreignKeys } from "./database/foreign-keys.ts";
import { isolation } from "./database/isolation.ts";
import { migrationLocks } from "./database/migration-locks.ts";
import { perRowCalls } from "./database/per-row-calls.ts";
import { tablesWithPolicies } from "./database/policies-exist.ts";
import { policyIndexes } from "./database/policy-indexes.ts";
import { publicFunctions } from "./database/public-functions.ts";
import { rowSecurity } from "./database/row-security.ts";
import { rowSecurityForced } from "./database/row-security-forced.ts";
import { searchPaths } from "./database/search-paths.ts";
import { unfilteredGrants } from "./database/unfiltered-grants.ts";
import { userClaims } from "./database/user-claims.ts";
import { views } from "./database/views.ts";
import { writeChecks } from "./database/write-checks.ts";
import { capabilities as dockerCapabilities } from "./docker/capabilities.ts";
import { healthCheck } from "./docker/health-check.ts";
import { hostNamespaces as dockerHostNamespaces } from "./docker/host-namespaces.ts";
import { limits } from "./docker/limits.ts";
import { logs } from "./docker/logs.ts";
import { mounts } from "./docker/mounts.ts";
import { noNewPrivileges } from "./docker/no-new-privileges.ts";
import { nonRoot } from "./docker/non-root.ts";
import { ports } from "./docker/ports.ts";
import { privileged as dockerPrivileged } from "./docker/privileged.ts";
import { readOnlyRoot as dockerReadOnlyRoot } from "./docker/read-only-root.ts";
import { restart } from "./docker/restart.ts";
import { allowPrivilegeEscalation } from "./kubernetes/allow-privilege-escalation.ts";
import { appArmor } from "./kubernetes/app-armor.ts";
import { capabilities } from "./kubernetes/capabilities.ts";
import { defaultNamespace } from "./kubernetes/default-namespace.ts";
import { highUserId } from "./kubernetes/high-user-id.ts";
import { hostNamespaces } from "./kubernetes/host-namespaces.ts";
import { hostPorts } from "./kubernetes/host-ports.ts";
import { hostProbes } from "./kubernetes/host-probes.ts";
import { hostProcess } from "./kubernetes/host-process.ts";
import { privileged } from "./kubernetes/privileged.ts";
import { procMount } from "./kubernetes/proc-mount.ts";
import { rbacWildcards } from "./kubernetes/rbac-wildcards.ts";
import { readOnlyRoot } from "./kubernetes/read-only-root.ts";
import { resources } from "./kubernetes/resources.ts";
import { runAsNonRoot } from "./kubernetes/run-as-non-root.ts";
import { runAsUser } from "./kubernetes/run-as-user.ts";
import { seccomp } from "./kubernetes/seccomp.ts";
import { seLinux } from "./kubernetes/se-linux.ts";
import { serviceAccountToken } from "./kubernetes/service-account-token.ts";
import { sysctls } from "./kubernetes/sysctls.ts";
import { volumeTypes } from "./kubernetes/volume-types.ts";
import { defaultDeny } from "./network/default-deny.ts";
import { gatewayRoutes } from "./network/gateway-routes.ts";
import { openings } from "./network/openings.ts";
import { podSecurityLabels } from "./network/pod-security-labels.ts";
import { publicServices } from "./network/public-services.ts";
import { tls } from "./network/tls.ts";
import { disruption } from "./rollout/disruption.ts";
import { graceful } from "./rollout/graceful.ts";
import { probes } from "./rollout/probes.ts";
import { protectedData } from "./rollout/protected-data.ts";
import { slots } from "./rollout/slots.ts";
import { spread } from "./rollout/spread.ts";
import { weights } from "./rollout/weights.ts";
import { serviceRole } from "./secrets/service-role.ts";
import type { Rule } from "../model/rule.ts";
import { secretEnvironment } from "./secrets/environment.ts";
import { literals } from "./secrets/literals.ts";
import { secretMarks } from "./secrets/marked.ts";
import { backupAge } from "./slo/backup-age.ts";
import { downAlerts } from "./slo/down-alerts.ts";
import { objectives } from "./slo/objectives.ts";
import { scraped } from "./slo/scraped.ts";
import { billsOfMaterials } from "./supply-chain/bills-of-materials.ts";
import { digests } from "./supply-chain/digests.ts";
import { registries } from "./supply-chain/registries.ts";
import { signatures } from "./supply-chain/signatures.ts";
import { tags } from "./supply-chain/tags.ts";

/** Every rule of the pack, in the order of reports. */
export const RULES: readonly Rule[] = [
  // Pod Security Standards, profile restricted
  hostProcess,
  hostNamespaces,
  privileged,
  capabilities,
  volumeTypes,
  hostPorts,
  hostProbes,
  appArmor,
  seLinux,
  procMount,
  seccomp,
  sysctls,
  allowPrivilegeEscalation,
  runAsNonRoot,
  runAsUser,
  // Kubernetes, beyond it
  readOnlyRoot,
  resources,
  serviceAccountToken,
  rbacWildcards,
  highUserId,
  defaultNamespace,
  // Docker
  nonRoot,
  dockerPrivileged,
  dockerCapabilities,
  noNewPrivileges,
  dockerReadOnlyRoot,
  dockerHostNamespaces,
  mounts,
  limits,
  ports,
  healthCheck,
  restart,
  logs,
  // Supply chain
  digests,
  tags,
  registries,
  signatures,
  billsOfMaterials,
  // Secrets
  literals,
  secretMarks,
  secretEnvironment,
  serviceRole,
  // Network
  podSecurityLabels,
  defaultDeny,
  openings,
  publicServices,
  gatewayRoutes,
  tls,
  // Rollout
  probes,
  graceful,
  disruption,
  spread,
  slots,
  weights,
  protectedData,
  // Database
  rowSecurity,
  rowSecurityForced,
  boundPolicies,
  isolation,
  writeChecks,
  userClaims,
  views,
  definerFunctions,
  searchPaths,
  publicFunctions,
  anonGrants,
  unfilteredGrants,
  bypassRoles,
  tablesWithPolicies,
  policyIndexes,
  perRowCalls,
  foreignKeys,
  migrationLocks,
  destructive,
  // Backups
  schedules,
  onTime,
  timeZones,
  retention,
  recoveryPoint,
  drills,
  failureDomain,
  encryption,
  backedUpVolumes,
  // Service levels
  scraped,
  downAlerts,
  objectives,
  backupAge,
];
