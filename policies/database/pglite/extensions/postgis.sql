-- cspell:disable
-- Shape of PostGIS 3.5: its types, the usual functions and operators, and its tables. Values are texts, measures are zero, every relation
-- of two shapes holds, and a GiST index has the keys of btree_gist, whose module PGlite loads for it.
do $$
declare
  made text;
  name text;
  arguments text;
  result text;
  operator text;
begin
  foreach made in array array['geometry', 'geography', 'box2d', 'box3d'] loop
    execute format('create type %I', made);
    execute format('create function %s_in(cstring, oid, integer) returns %I language internal immutable strict parallel safe as ''textin''', made, made);
    execute format('create function %s_out(%I) returns cstring language internal immutable strict parallel safe as ''textout''', made, made);
    if made like 'geo%' then
      -- A list of words such as (Point, 4326); the number of its dimensions is a number that prints as nothing.
      execute format('create function %s_typmod_in(cstring[]) returns integer language internal immutable strict parallel safe as ''array_ndims''', made);
      execute format('create type %I (input = %s_in, output = %s_out, typmod_in = %s_typmod_in, typmod_out = varchartypmodout, storage = main)', made, made, made, made);
      execute format('create function %s_cmp(%I, %I) returns integer language internal immutable strict parallel safe as ''byteacmp''', made, made, made);
      for operator, name in select * from (values ('<', 'lt'), ('<=', 'le'), ('=', 'eq'), ('>=', 'ge'), ('>', 'gt')) v loop
        execute format('create function %s_%s(%I, %I) returns boolean language internal immutable strict parallel safe as ''bytea%s''', made, name, made, made, name);
        execute format('create operator %s (leftarg = %I, rightarg = %I, function = %s_%s)', operator, made, made, made, name);
      end loop;
      execute format('create operator class btree_%s_ops default for type %I using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 %s_cmp(%I, %I)', made, made, made, made, made);
      foreach operator in array array['&&', '&&&', '@', '~', '~=', '<<', '>>', '&<', '&>', '<<|', '|>>', '&<|', '|&>'] loop
        execute format('create function %s_related_%s(%I, %I) returns boolean language sql immutable strict parallel safe as ''select true''', made,
          array_position(array['&&', '&&&', '@', '~', '~=', '<<', '>>', '&<', '&>', '<<|', '|>>', '&<|', '|&>'], operator), made, made);
        execute format('create operator %s (leftarg = %I, rightarg = %I, function = %s_related_%s)', operator, made, made, made,
          array_position(array['&&', '&&&', '@', '~', '~=', '<<', '>>', '&<', '&>', '<<|', '|>>', '&<|', '|&>'], operator));
      end loop;
      foreach operator in array array['<->', '<#>'] loop
        name := made || case operator when '<->' then '_distance_knn' else '_distance_box' end;
        execute format('create function %s(%I, %I) returns double precision language sql immutable strict parallel safe as ''select 0::double precision''', name, made, made);
        execute format('create operator %s (leftarg = %I, rightarg = %I, function = %s, commutator = %s)', operator, made, made, name, operator);
      end loop;
      execute format('create type %s_key', made);
      execute format('create function %s_key_in(cstring) returns %s_key language internal immutable strict parallel safe as ''byteain''', made, made);
      execute format('create function %s_key_out(%s_key) returns cstring language internal immutable strict parallel safe as ''byteaout''', made, made);
      execute format('create type %s_key (input = %s_key_in, output = %s_key_out, storage = extended)', made, made, made);
      execute format('create function %s_gist_consistent(internal, %I, smallint, oid, internal) returns boolean language c immutable strict as ''$libdir/btree_gist'', ''gbt_bytea_consistent''', made, made);
      execute format('create function %s_gist_union(internal, internal) returns %s_key language c immutable strict as ''$libdir/btree_gist'', ''gbt_bytea_union''', made, made);
      execute format('create function %s_gist_compress(internal) returns internal language c immutable strict as ''$libdir/btree_gist'', ''gbt_bytea_compress''', made);
      execute format('create function %s_gist_decompress(internal) returns internal language c immutable strict as ''$libdir/btree_gist'', ''gbt_var_decompress''', made);
      execute format('create function %s_gist_penalty(internal, internal, internal) returns internal language c immutable strict as ''$libdir/btree_gist'', ''gbt_bytea_penalty''', made);
      execute format('create function %s_gist_picksplit(internal, internal) returns internal language c immutable strict as ''$libdir/btree_gist'', ''gbt_bytea_picksplit''', made);
      execute format('create function %s_gist_same(%s_key, %s_key, internal) returns internal language c immutable strict as ''$libdir/btree_gist'', ''gbt_bytea_same''', made, made, made);
      foreach name in array case made when 'geometry' then array['gist_geometry_ops_2d', 'gist_geometry_ops_nd'] else array['gist_geography_ops'] end loop
        execute format('create operator class %s %s for type %I using gist as function 1 %s_gist_consistent(internal, %I, smallint, oid, internal), function 2 %s_gist_union(internal, internal), function 3 %s_gist_compress(internal), function 4 %s_gist_decompress(internal), function 5 %s_gist_penalty(internal, internal, internal), function 6 %s_gist_picksplit(internal, internal), function 7 %s_gist_same(%s_key, %s_key, internal), storage %s_key',
          name, case when name like '%nd' then '' else 'default' end, made, made, made, made, made, made, made, made, made, made, made, made);
      end loop;
      foreach result in array array['bytea', 'json', 'jsonb'] loop
        execute format('create cast (%I as %s) with inout as %s', made, result, case result when 'bytea' then 'implicit' else 'assignment' end);
      end loop;
      execute format('create cast (bytea as %I) with inout as implicit', made);
    else
      execute format('create type %I (input = %s_in, output = %s_out, storage = main)', made, made, made);
    end if;
  end loop;
  create cast (text as geometry) with inout as implicit;
  create cast (geometry as text) with inout as implicit;
  create cast (geometry as geography) with inout as implicit;
  create cast (geography as geometry) with inout;
  create cast (geometry as box2d) with inout as implicit;
  create cast (geometry as box3d) with inout as implicit;
  create cast (box2d as geometry) with inout as implicit;
  create cast (box3d as geometry) with inout;
  create cast (geometry as point) with inout;
  create cast (point as geometry) with inout;

  for name, arguments, result in select * from (values
    ('st_point', 'double precision, double precision', 'geometry'),
    ('st_point', 'double precision, double precision, integer', 'geometry'),
    ('st_makepoint', 'double precision, double precision', 'geometry'),
    ('st_makepoint', 'double precision, double precision, double precision', 'geometry'),
    ('st_makepoint', 'double precision, double precision, double precision, double precision', 'geometry'),
    ('st_makeenvelope', 'double precision, double precision, double precision, double precision, integer default 0', 'geometry'),
    ('st_tileenvelope', 'integer, integer, integer', 'geometry'),
    ('st_geomfromtext', 'text', 'geometry'),
    ('st_geomfromtext', 'text, integer', 'geometry'),
    ('st_geomfromewkt', 'text', 'geometry'),
    ('st_geomfromwkb', 'bytea', 'geometry'),
    ('st_geomfromwkb', 'bytea, integer', 'geometry'),
    ('st_geomfromgeojson', 'text', 'geometry'),
    ('st_geomfromgeojson', 'json', 'geometry'),
    ('st_geomfromgeojson', 'jsonb', 'geometry'),
    ('st_geomfromgeohash', 'text, integer default null', 'geometry'),
    ('st_pointfromtext', 'text', 'geometry'),
    ('st_pointfromtext', 'text, integer', 'geometry'),
    ('st_polygonfromtext', 'text, integer', 'geometry'),
    ('st_geogfromtext', 'text', 'geography'),
    ('st_geographyfromtext', 'text', 'geography'),
    ('st_setsrid', 'geometry, integer', 'geometry'),
    ('st_setsrid', 'geography, integer', 'geography'),
    ('st_transform', 'geometry, integer', 'geometry'),
    ('st_makeline', 'geometry, geometry', 'geometry'),
    ('st_makeline', 'geometry[]', 'geometry'),
    ('st_makepolygon', 'geometry', 'geometry'),
    ('st_polygon', 'geometry, integer', 'geometry'),
    ('st_collect', 'geometry, geometry', 'geometry'),
    ('st_asgeojson', 'geometry, integer default 9, integer default 8', 'text'),
    ('st_asgeojson', 'geography, integer default 9, integer default 0', 'text'),
    ('st_astext', 'geometry', 'text'),
    ('st_astext', 'geography', 'text'),
    ('st_asewkt', 'geometry', 'text'),
    ('st_asewkt', 'geography', 'text'),
    ('st_asbinary', 'geometry', 'bytea'),
    ('st_asbinary', 'geography', 'bytea'),
    ('st_asmvtgeom', 'geometry, box2d, integer default 4096, integer default 256, boolean default true', 'geometry'),
    ('st_geohash', 'geometry, integer default 0', 'text'),
    ('st_geometrytype', 'geometry', 'text'),
    ('st_srid', 'geometry', 'integer'),
    ('st_srid', 'geography', 'integer'),
    ('st_npoints', 'geometry', 'integer'),
    ('st_numpoints', 'geometry', 'integer'),
    ('st_numgeometries', 'geometry', 'integer'),
    ('st_dimension', 'geometry', 'integer'),
    ('st_pointn', 'geometry, integer', 'geometry'),
    ('st_geometryn', 'geometry, integer', 'geometry'),
    ('st_startpoint', 'geometry', 'geometry'),
    ('st_endpoint', 'geometry', 'geometry'),
    ('st_distancesphere', 'geometry, geometry', 'double precision'),
    ('st_distance', 'geography, geography, boolean default true', 'double precision'),
    ('st_dwithin', 'geometry, geometry, double precision', 'boolean'),
    ('st_dwithin', 'geography, geography, double precision, boolean default true', 'boolean'),
    ('st_dfullywithin', 'geometry, geometry, double precision', 'boolean'),
    ('st_buffer', 'geometry, double precision, text default ''''', 'geometry'),
    ('st_buffer', 'geography, double precision', 'geography'),
    ('st_buffer', 'geography, double precision, text', 'geography'),
    ('st_expand', 'geometry, double precision', 'geometry'),
    ('st_simplify', 'geometry, double precision', 'geometry'),
    ('st_simplifypreservetopology', 'geometry, double precision', 'geometry'),
    ('st_snaptogrid', 'geometry, double precision', 'geometry'),
    ('st_lineinterpolatepoint', 'geometry, double precision', 'geometry'),
    ('st_linelocatepoint', 'geometry, geometry', 'double precision'),
    ('st_azimuth', 'geometry, geometry', 'double precision'),
    ('st_azimuth', 'geography, geography', 'double precision'),
    ('st_project', 'geography, double precision, double precision', 'geography'),
    ('st_closestpoint', 'geometry, geometry', 'geometry'),
    ('st_area', 'geography, boolean default true', 'double precision'),
    ('st_length', 'geography, boolean default true', 'double precision'),
    ('st_perimeter', 'geography, boolean default true', 'double precision'),
    ('st_centroid', 'geography, boolean default true', 'geography'),
    ('st_intersection', 'geography, geography', 'geography'),
    ('geometrytype', 'geometry', 'text'),
    ('postgis_version', '', 'text'),
    ('postgis_full_version', '', 'text'),
    ('postgis_lib_version', '', 'text')
    ) v
    union all select f, 'geometry', 'double precision' from unnest(array['st_x', 'st_y', 'st_z', 'st_m', 'st_xmin', 'st_xmax', 'st_ymin', 'st_ymax', 'st_area', 'st_length', 'st_perimeter']) f
    union all select f, 'geometry', 'geometry' from unnest(array['st_centroid', 'st_envelope', 'st_makevalid', 'st_multi', 'st_force2d', 'st_force3d', 'st_boundary', 'st_convexhull', 'st_pointonsurface', 'st_exteriorring', 'st_reverse', 'st_flipcoordinates', 'st_unaryunion', 'st_linemerge', 'st_normalize']) f
    union all select f, 'geometry', 'boolean' from unnest(array['st_isvalid', 'st_issimple', 'st_isempty', 'st_isclosed', 'st_isring']) f
    union all select f, 'geometry, geometry', 'boolean' from unnest(array['st_contains', 'st_containsproperly', 'st_within', 'st_intersects', 'st_covers', 'st_coveredby', 'st_touches', 'st_crosses', 'st_overlaps', 'st_disjoint', 'st_equals', 'st_orderingequals']) f
    union all select f, 'geography, geography', 'boolean' from unnest(array['st_intersects', 'st_covers', 'st_coveredby']) f
    union all select f, 'geometry, geometry', 'geometry' from unnest(array['st_intersection', 'st_union', 'st_difference', 'st_symdifference', 'st_shortestline']) f
    union all select f, 'geometry, geometry', 'double precision' from unnest(array['st_distance', 'st_maxdistance', 'st_hausdorffdistance']) f
  loop
    -- Not a text, which would name its types without their schema when it is called.
    execute format('create function %s(%s) returns %s language sql immutable strict parallel safe return %s', name, arguments, result,
      case when result = 'boolean' then 'true' when result in ('double precision', 'integer') then '0::' || result else quote_literal('') || '::' || result end);
  end loop;
  create function st_asgeojson(record, text default '', integer default 9, boolean default false) returns text language plpgsql immutable strict parallel safe as 'begin return ''''; end';
  foreach name in array array['st_union', 'st_collect', 'st_makeline', 'st_extent', 'st_memunion'] loop
    execute format('create function %s_step(geometry, geometry) returns geometry language sql immutable parallel safe as ''select coalesce($1, $2)''', name);
    execute format('create aggregate %s(geometry) (sfunc = %s_step, stype = geometry)', name, name);
  end loop;
end
$$;

create table spatial_ref_sys (
  srid integer not null primary key check (srid > 0 and srid <= 998999),
  auth_name varchar(256),
  auth_srid integer,
  srtext varchar(2048),
  proj4text varchar(2048)
);
grant select on spatial_ref_sys to public;

create view geometry_columns as
  select current_database()::varchar(256) as f_table_catalog, n.nspname as f_table_schema, c.relname as f_table_name, a.attname as f_geometry_column,
    2 as coord_dimension, 0 as srid, 'GEOMETRY'::varchar(30) as type
  from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped join pg_namespace n on n.oid = c.relnamespace
  where a.atttypid = 'geometry'::regtype and c.relkind in ('r', 'v', 'm', 'f', 'p') and has_table_privilege(c.oid, 'select');
create view geography_columns as
  select current_database() as f_table_catalog, n.nspname as f_table_schema, c.relname as f_table_name, a.attname as f_geography_column,
    2 as coord_dimension, 0 as srid, 'GEOMETRY'::text as type
  from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped join pg_namespace n on n.oid = c.relnamespace
  where a.atttypid = 'geography'::regtype and c.relkind in ('r', 'v', 'm', 'f', 'p') and has_table_privilege(c.oid, 'select');
grant select on geometry_columns, geography_columns to public;
