-- cspell:disable
-- Shape of pg_graphql 1.5: the function that answers requests, with the privileges of its caller.
create function graphql.resolve(query text, variables jsonb default '{}', "operationName" text default null, extensions jsonb default null) returns jsonb
  language sql
as $$ select '{}'::jsonb $$;
