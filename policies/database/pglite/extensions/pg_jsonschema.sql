-- cspell:disable
-- Shape of pg_jsonschema 0.3: every document is valid.
create function json_matches_schema(schema json, instance json) returns boolean language sql immutable strict as $$ select true $$;
create function jsonb_matches_schema(schema json, instance jsonb) returns boolean language sql immutable strict as $$ select true $$;
create function jsonschema_is_valid(schema json) returns boolean language sql immutable strict as $$ select true $$;
