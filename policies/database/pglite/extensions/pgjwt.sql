-- cspell:disable
-- Shape of pgjwt 0.2.
create function url_encode(data bytea) returns text language sql immutable as $$ select encode(data, 'base64') $$;
create function url_decode(data text) returns bytea language sql immutable as $$ select decode(data, 'base64') $$;
create function algorithm_sign(signables text, secret text, algorithm text) returns text language sql immutable as $$ select signables $$;
create function sign(payload json, secret text, algorithm text default 'HS256') returns text language sql immutable as $$ select payload::text $$;
create function verify(token text, secret text, algorithm text default 'HS256', out header json, out payload json, out valid boolean)
  language sql immutable
as $$ select '{}'::json, '{}'::json, false $$;
