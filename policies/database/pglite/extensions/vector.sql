-- cspell:disable
-- Shape of pgvector 0.8: its types, operators and index methods. Values are texts, distances are zero, and indexes are trees.
do $$
declare
  made text;
  operator text;
  distance text;
  class text;
begin
  foreach made in array array['vector', 'halfvec', 'sparsevec'] loop
    execute format('create type %I', made);
    execute format('create function %s_in(cstring, oid, integer) returns %I language internal immutable strict parallel safe as ''textin''', made, made);
    execute format('create function %s_out(%I) returns cstring language internal immutable strict parallel safe as ''textout''', made, made);
    execute format('create function %s_recv(internal, oid, integer) returns %I language internal immutable strict parallel safe as ''textrecv''', made, made);
    execute format('create function %s_send(%I) returns bytea language internal immutable strict parallel safe as ''textsend''', made, made);
    execute format('create function %s_typmod_in(cstring[]) returns integer language internal immutable strict parallel safe as ''varchartypmodin''', made);
    execute format('create type %I (input = %s_in, output = %s_out, receive = %s_recv, send = %s_send, typmod_in = %s_typmod_in, typmod_out = varchartypmodout, storage = external)', made, made, made, made, made, made);
    execute format('create function %s_cmp(%I, %I) returns integer language internal immutable strict parallel safe as ''byteacmp''', made, made, made);
    for operator, distance in select * from (values ('<', 'lt'), ('<=', 'le'), ('=', 'eq'), ('<>', 'ne'), ('>=', 'ge'), ('>', 'gt')) v loop
      execute format('create function %s_%s(%I, %I) returns boolean language internal immutable strict parallel safe as ''%s''', made, distance, made, made,
        'bytea' || distance);
      execute format('create operator %s (leftarg = %I, rightarg = %I, function = %s_%s)', operator, made, made, made, distance);
    end loop;
    execute format('create operator class %s_ops default for type %I using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 %s_cmp(%I, %I)', made, made, made, made, made);
    for operator, distance in select * from (values ('<->', 'l2_distance'), ('<#>', 'negative_inner_product'), ('<=>', 'cosine_distance'), ('<+>', 'l1_distance')) v loop
      execute format('create function %s(%I, %I) returns double precision language sql immutable strict parallel safe as ''select 0::double precision''', distance, made, made);
      execute format('create operator %s (leftarg = %I, rightarg = %I, function = %s, commutator = %s)', operator, made, made, distance, operator);
    end loop;
    execute format('create function inner_product(%I, %I) returns double precision language sql immutable strict parallel safe as ''select 0::double precision''', made, made);
    execute format('create function l2_normalize(%I) returns %I language sql immutable strict parallel safe as ''select $1''', made, made);
    execute format('create cast (text as %I) with inout as assignment', made);
    execute format('create cast (%I as text) with inout as assignment', made);
  end loop;
  foreach made in array array['vector', 'halfvec'] loop
    execute format('create function vector_dims(%I) returns integer language sql immutable strict parallel safe as ''select 0''', made);
    execute format('create function vector_norm(%I) returns double precision language sql immutable strict parallel safe as ''select 0::double precision''', made);
    foreach class in array array['integer[]', 'real[]', 'double precision[]', 'numeric[]'] loop
      execute format('create cast (%s as %I) with inout as assignment', class, made);
    end loop;
    foreach operator in array array['+', '-', '*', '||'] loop
      distance := made || case operator when '+' then '_add' when '-' then '_sub' when '*' then '_mul' else '_concat' end;
      execute format('create function %s(%I, %I) returns %I language sql immutable strict parallel safe as ''select $1''', distance, made, made, made);
      execute format('create operator %s (leftarg = %I, rightarg = %I, function = %s)', operator, made, made, distance);
    end loop;
  end loop;
  create cast (vector as halfvec) with inout as implicit;
  create cast (halfvec as vector) with inout as assignment;
  create cast (vector as sparsevec) with inout as implicit;
  create cast (sparsevec as vector) with inout as assignment;
  create access method ivfflat type index handler bthandler;
  create access method hnsw type index handler bthandler;
  for made, class in select t, c from unnest(array['vector', 'halfvec', 'sparsevec']) t, unnest(array['l2', 'ip', 'cosine', 'l1']) c loop
    execute format('create operator class %s_%s_ops for type %I using hnsw as function 1 %s_cmp(%I, %I)', made, class, made, made, made, made);
    if made <> 'sparsevec' then
      execute format('create operator class %s_%s_ops %s for type %I using ivfflat as function 1 %s_cmp(%I, %I)', made, class, case class when 'l2' then 'default' else '' end, made, made, made, made);
    end if;
  end loop;
  create function hamming_distance(bit, bit) returns double precision language sql immutable strict parallel safe as 'select 0::double precision';
  create function jaccard_distance(bit, bit) returns double precision language sql immutable strict parallel safe as 'select 0::double precision';
  create operator <~> (leftarg = bit, rightarg = bit, function = hamming_distance, commutator = <~>);
  create operator <%> (leftarg = bit, rightarg = bit, function = jaccard_distance, commutator = <%>);
  create operator class bit_hamming_ops for type bit using hnsw as function 1 pg_catalog.bitcmp(bit, bit);
  create operator class bit_jaccard_ops for type bit using hnsw as function 1 pg_catalog.bitcmp(bit, bit);
  create operator class bit_hamming_ops for type bit using ivfflat as function 1 pg_catalog.bitcmp(bit, bit);
end
$$;
create aggregate avg(vector) (sfunc = vector_add, stype = vector);
create aggregate sum(vector) (sfunc = vector_add, stype = vector);
create aggregate avg(halfvec) (sfunc = halfvec_add, stype = halfvec);
create aggregate sum(halfvec) (sfunc = halfvec_add, stype = halfvec);
