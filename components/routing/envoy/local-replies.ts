import type { Json } from "../../../contract/envoy/json.ts";
import { RETRY_AFTER_SECONDS } from "../../../contract/server.ts";

/**
 * A 503 of the router itself says when to come back. The first mapper that applies is used: each takes an equal share of
 * what the ones before it left, so that the seconds are random.
 */
export function localReplies(): Json {
  return {
    mappers: Array.from({ length: RETRY_AFTER_SECONDS }, (_, index) => ({
      filter: {
        and_filter: {
          filters: [
            {
              status_code_filter: {
                comparison: { op: "EQ", value: { default_value: 503, runtime_key: "exai.retry_after.status" } },
              },
            },
            {
              runtime_filter: {
                runtime_key: `exai.retry_after.${String(index + 1)}`,
                percent_sampled: { numerator: Math.round(100 / (RETRY_AFTER_SECONDS - index)), denominator: "HUNDRED" },
                use_independent_randomness: true,
              },
            },
          ],
        },
      },
      headers_to_add: [
        { header: { key: "retry-after", value: String(index + 1) }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      ],
    })),
  };
}
