import { typed, type Json } from "../../../contract/envoy/json.ts";
import { ROUTE_CONFIGURATION, ROUTES_DIRECTORY, ROUTES_FILE } from "../../../contract/envoy/names.ts";
import { LISTENER_HEADER } from "../../../contract/envoy/route-parts.ts";
import { HEADERS } from "../../../contract/server.ts";
import { accessFilter } from "./access-filter.ts";
import { accessLog } from "./access-log.ts";
import type { EnvoyOptions } from "./options.ts";
import { address, connectionManager, routerFilter } from "./parts.ts";
import { localReplies } from "./local-replies.ts";
import { sessionFilter } from "./session-filter.ts";

/** Keepalive detects dead peers of idle WebSockets. */
const SOCKET_OPTIONS: Json = [
  { description: "SO_KEEPALIVE", level: 1, name: 9, int_value: 1, state: "STATE_PREBIND" },
  { description: "TCP_KEEPIDLE", level: 6, name: 4, int_value: 60, state: "STATE_PREBIND" },
  { description: "TCP_KEEPINTVL", level: 6, name: 5, int_value: 15, state: "STATE_PREBIND" },
  { description: "TCP_KEEPCNT", level: 6, name: 6, int_value: 4, state: "STATE_PREBIND" },
];

export function userListener(name: "http" | "websocket", port: number, options: EnvoyOptions): Json {
  const directory = options.routesDirectory ?? ROUTES_DIRECTORY;
  return {
    name,
    address: address("0.0.0.0", port),
    socket_options: SOCKET_OPTIONS,
    filter_chains: [
      {
        filters: [
          connectionManager({
            stat_prefix: name,
            // The directory is watched, not the file: a mounted file would keep its old inode after a rename.
            rds: {
              route_config_name: ROUTE_CONFIGURATION,
              config_source: {
                resource_api_version: "V3",
                path_config_source: { path: `${directory}/${ROUTES_FILE}`, watched_directory: { path: directory } },
              },
            },
            upgrade_configs: [{ upgrade_type: "websocket" }],
            early_header_mutation_extensions: [
              {
                name: "envoy.http.early_header_mutation.header_mutation",
                typed_config: typed("envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", {
                  mutations: [
                    {
                      append: {
                        header: { key: LISTENER_HEADER, value: name },
                        append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
                      },
                    },
                    { remove: HEADERS.pinned },
                  ],
                }),
              },
            ],
            local_reply_config: localReplies(),
            use_remote_address: true,
            normalize_path: true,
            merge_slashes: true,
            server_header_transformation: "PASS_THROUGH",
            // A stream without traffic lives as long as its peers; routes of plain requests have their own time-out.
            stream_idle_timeout: "0s",
            request_headers_timeout: "10s",
            common_http_protocol_options: { idle_timeout: "300s" },
            ...(options.accessLog === true ? { access_log: [accessLog()] } : {}),
            http_filters: [accessFilter(options.accessKeys), sessionFilter(), routerFilter()],
          }),
        ],
      },
    ],
  };
}
