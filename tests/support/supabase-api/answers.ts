import { keyOf, sha256, type BranchState, type ProjectState } from "./world.ts";

// Bodies of the API's answers, in its own shapes.

export function describeProject(project: ProjectState, status: string): Record<string, unknown> {
  return {
    id: project.ref,
    ref: project.ref,
    name: project.name,
    organization_id: project.organization,
    organization_slug: project.organization,
    region: project.region,
    created_at: project.createdAt,
    status,
    database: {
      host: `db.${project.ref}.supabase.co`,
      version: "15.8.1.085",
      postgres_engine: "15",
      release_channel: "ga",
    },
  };
}

export function keys(project: ProjectState): Record<string, unknown>[] {
  const key = (name: string, type: string): Record<string, unknown> => ({ name, type, api_key: keyOf(project, name) });
  return [
    ...(project.legacyKeys ? [key("anon", "legacy"), key("service_role", "legacy")] : []),
    key("default", "publishable"),
    key("default", "secret"),
  ];
}

export function restrictions(project: ProjectState): Record<string, unknown> {
  return { config: project.network, entitlement: "allowed", status: "applied" };
}

export function pooler(
  project: ProjectState,
  host = `aws-0-${project.region}.pooler.supabase.com`,
): Record<string, unknown> {
  return {
    identifier: project.ref,
    database_type: "PRIMARY",
    pool_mode: "transaction",
    is_using_scram_auth: true,
    db_user: `postgres.${project.ref}`,
    db_host: host,
    db_port: 6543,
    db_name: "postgres",
    connection_string: `postgresql://postgres.${project.ref}:[YOUR-PASSWORD]@${host}:6543/postgres`,
    default_pool_size: project.poolSize ?? null,
    max_client_conn: null,
  };
}

export function describeBranch(branch: BranchState): Record<string, unknown> {
  const at = branch.project.createdAt;
  return {
    id: branch.id,
    name: branch.name,
    project_ref: branch.project.ref,
    parent_project_ref: branch.parent,
    is_default: branch.isDefault,
    persistent: branch.persistent,
    with_data: branch.withData,
    status: branch.status,
    preview_project_status: branch.status === "CREATING_PROJECT" ? "COMING_UP" : "ACTIVE_HEALTHY",
    created_at: at,
    updated_at: at,
    ...(branch.gitBranch === undefined ? {} : { git_branch: branch.gitBranch }),
  };
}

export function branchDatabase(branch: BranchState): Record<string, unknown> {
  return {
    ref: branch.project.ref,
    db_host: `db.${branch.project.ref}.supabase.co`,
    db_port: 5432,
    db_user: "postgres",
    db_pass: branch.project.password,
    jwt_secret: keyOf(branch.project, "jwt"),
    postgres_version: "15.8.1.085",
    postgres_engine: "15",
    release_channel: "ga",
    status: branch.status === "CREATING_PROJECT" ? "COMING_UP" : "ACTIVE_HEALTHY",
  };
}

/**
 * Takes a new version of an edge function.
 *
 * @param form body of the upload: multipart, with the metadata as a separate part
 */
export function deploy(project: ProjectState, slug: string, form: string): Record<string, unknown> {
  const metadata = /name="metadata"\r\n\r\n(.*?)\r\n--/s.exec(form)?.[1] ?? "{}";
  const { name = slug } = JSON.parse(metadata) as { name?: string };
  const now = Date.now();
  const before = project.functions.get(slug);
  const deployed = {
    id: before?.id ?? sha256(`${project.ref}/${slug}`).slice(0, 32),
    slug,
    name,
    version: (before?.version ?? 0) + 1,
    // The boundary, on the first line, is random: the same sources must have the same checksum.
    checksum: sha256(form.replaceAll(form.slice(0, form.indexOf("\r\n")), "")),
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
  };
  project.functions.set(slug, deployed);
  return describeFunction(deployed);
}

export function describeFunction(
  deployed: NonNullable<ReturnType<ProjectState["functions"]["get"]>>,
): Record<string, unknown> {
  return {
    id: deployed.id,
    slug: deployed.slug,
    name: deployed.name,
    version: deployed.version,
    status: "ACTIVE",
    ezbr_sha256: deployed.checksum,
    created_at: deployed.createdAt,
    updated_at: deployed.updatedAt,
    verify_jwt: true,
  };
}
