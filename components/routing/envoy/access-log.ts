import { typed, type Json } from "../../../contract/envoy/json.ts";

/** A JSON line per request. */
export function accessLog(): Json {
  return {
    name: "envoy.access_loggers.stdout",
    typed_config: typed("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", {
      log_format: {
        json_format: {
          time: "%START_TIME%",
          method: "%REQ(:METHOD)%",
          path: "%PATH(NQ)%",
          status: "%RESPONSE_CODE%",
          flags: "%RESPONSE_FLAGS%",
          milliseconds: "%DURATION%",
          cluster: "%UPSTREAM_CLUSTER_RAW%",
          request_id: "%REQ(X-REQUEST-ID)%",
        },
      },
    }),
  };
}
