-- What an analysed expression (the text of a pg_node_tree) is made of, and why it may give another
-- value on another worker. Every worker has the same settings (configuration.ts), the same rows and
-- the same program; its clock, sessions, system columns and object identifiers are its own.
-- Everything is a positive list: an unknown node, a function that is not immutable, or a type whose
-- text is read with the help of the clock is a fault. Written anew at each start of a worker.

-- The nodes of a tree: each with its parent and the text of its own. PostgreSQL writes "\" before
-- braces, spaces and parentheses in names, and constants as numbers, so a name cannot pass for a node.
create or replace function convoy.tree_nodes(tree text) returns table (id int, parent int, tag text, own text)
  language plpgsql immutable set search_path = pg_catalog as $$
declare
  open int[] := '{}';
  parents int[] := '{}';
  tags text[] := '{}';
  owns text[] := '{}';
  piece text[];
  depth int := 0;
  n int := 0;
begin
  for piece in select regexp_matches(tree, '([{}])((?:[^{}\\]|\\.)*)', 'g') loop
    if piece[1] = '{' then
      n := n + 1;
      parents[n] := case when depth > 0 then open[depth] end;
      depth := depth + 1;
      open[depth] := n;
      tags[n] := substring(piece[2] from '^[A-Z_]*');
      owns[n] := piece[2];
    else
      depth := depth - 1;
      if depth > 0 then owns[open[depth]] := owns[open[depth]] || ' # ' || piece[2]; end if;
    end if;
  end loop;
  if depth <> 0 or n = 0 then raise 'a tree that does not close'; end if;
  return query select g.i, parents[g.i], tags[g.i], owns[g.i] from generate_series(1, n) g (i);
end $$;

-- The type and every type that its values hold. A true array is one that its element names.
create or replace function convoy.types_in(type oid) returns setof oid
  language sql stable set search_path = pg_catalog as $$
  with recursive held (id) as (
    select type
    union
    select x.id from held join pg_type t on t.oid = held.id cross join lateral (
      select e.oid from pg_type e where e.typarray = t.oid
      union all select t.typbasetype where t.typtype = 'd'
      union all select a.atttypid from pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      union all select r.rngsubtype from pg_range r where t.oid in (r.rngtypid, r.rngmultitypid)) x (id)
  )
  select id from held
$$;

-- Types that hold object identifiers of their own worker, or names of them.
create or replace function convoy.is_of_worker(type oid) returns boolean
  language sql stable set search_path = pg_catalog as $$
  select exists (select from convoy.types_in(type) h (id) join pg_type t on t.oid = h.id
    where t.typnamespace = 'pg_catalog'::regnamespace and t.typname ~ '^(reg|aclitem|refcursor)')
$$;

-- Types whose texts may name the clock: 'now', 'today', 'tomorrow', 'yesterday'.
create or replace function convoy.reads_clock(type oid) returns boolean
  language sql stable set search_path = pg_catalog as $$
  select exists (select from convoy.types_in(type) h (id)
    where h.id in ('date'::regtype, 'time'::regtype, 'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype))
$$;

-- Functions that depend on nothing but their arguments and settings that all workers share (time
-- zone, styles of dates, locale), though PostgreSQL calls them stable.
create or replace function convoy.is_settled(function oid) returns boolean
  language sql stable set search_path = pg_catalog as $$
  select exists (select from pg_proc p where p.oid = function and p.oid < 16384 and p.provolatile = 's' and (
    p.proname in ('concat', 'concat_ws', 'format', 'quote_literal', 'quote_nullable', 'textanycat', 'anytextcat',
      'to_char', 'to_number', 'to_date', 'array_to_string', 'to_json', 'to_jsonb', 'json_build_array',
      'json_build_object', 'jsonb_build_array', 'jsonb_build_object', 'row_to_json', 'array_to_json',
      'convert', 'convert_from', 'convert_to', 'make_timestamptz', 'overlaps', 'money', 'numeric', 'to_tsvector',
      'to_tsquery', 'plainto_tsquery', 'phraseto_tsquery', 'websearch_to_tsquery', 'json_to_tsvector', 'jsonb_to_tsvector',
      'date_trunc', 'date_part', 'extract', 'date_add', 'timestamptz_pl_interval', 'timestamptz_mi_interval',
      'interval_pl_timestamptz', 'timestamptz', 'timestamp', 'date', 'time', 'timetz')
    or (p.proname = 'to_timestamp' and p.pronargs = 2)
    or p.proname ~ '^(date|timestamp|timestamptz)_(eq|ne|lt|le|gt|ge|cmp)_(date|timestamp|timestamptz)$')
    and not exists (select from unnest(p.proargtypes::oid[] || p.prorettype) a (type)
      where convoy.is_of_worker(a.type) or a.type in ('cstring'::regtype, 'internal'::regtype)))
$$;

-- Why a function may give something else on another worker; null when it may not.
create or replace function convoy.function_fault(function oid) returns text
  language sql stable set search_path = pg_catalog as $$
  select case
    when p.provolatile <> 'i' and not convoy.is_settled(p.oid) then format('%s() may give another value on each worker', p.proname)
    -- Constructors of range types are made with their types.
    when p.oid >= 16384 and not (p.prolang = 12 and p.prosrc ~ '^(range|multirange)_constructor') then
      format('%s() is not built in', p.proname)
    when p.proname ~ '^hash(enum|_record|_array|_range|_multirange)|^(record_image|btrecordimage)'
      then format('%s() may depend on object identifiers', p.proname)
    when exists (select from unnest(p.proargtypes::oid[] || p.prorettype) a (type)
      where a.type in ('cstring'::regtype, 'internal'::regtype)) then format('%s() reads or prints text by a type', p.proname)
  end
  from pg_proc p where p.oid = function
$$;

-- Why the text of a value may be read otherwise on another worker; null when it may not.
create or replace function convoy.reading_fault(type oid) returns text
  language sql stable set search_path = pg_catalog as $$
  select case
    when convoy.reads_clock(type) then format('reading text as %s may ask the clock', type::regtype)
    when exists (select from convoy.types_in(type) h (id) where convoy.type_fault(h.id) is not null or h.id = 'xml'::regtype)
      then format('text is not read as %s here', type::regtype)
  end
$$;

-- A constant that names a text search configuration or dictionary of PostgreSQL's own.
create or replace function convoy.is_built_in(own text) returns boolean
  language sql immutable set search_path = pg_catalog as $$
  select own ~ ':consttype (3734|3769) ' and m[2]::int between 0 and 63 and m[3] = '0' and m[4] = '0'
  from regexp_match(own, ':constvalue 4 \[ (-?\d+) (-?\d+) (-?\d+) (-?\d+) ') m
$$;

-- The words before which PostgreSQL names a node's type.
create or replace function convoy.types_named(own text) returns setof oid
  language sql immutable set search_path = pg_catalog as $$
  select m[1]::oid from regexp_matches(own, ':(?:vartype|consttype|paramtype|funcresulttype|opresulttype|resulttype'
    || '|array_typeid|element_typeid|casetype|coalescetype|minmaxtype|row_typeid|refrestype|refcontainertype'
    || '|refelemtype|typeId|type) (\d+)', 'g') m where m[1] <> '0'
$$;

-- The first reason why an expression may give another value on another worker; null when it may not.
create or replace function convoy.tree_fault(tree text) returns text
  language sql stable strict set search_path = pg_catalog as $$
  with node as materialized (select * from convoy.tree_nodes(tree)),
  called (id) as (
    select m[1]::oid from regexp_matches(tree, ':(?:funcid|opfuncid|elemfuncid|hashfuncid|negfuncid) (\d+)', 'g') m
    union select p.oprcode from regexp_matches(tree, ':(?:opno|eqop|sortop) (\d+)', 'g') m
      join pg_operator p on p.oid = m[1]::oid
    union select p.oprcode from regexp_matches(tree, ':opnos \(o((?: \d+)*)\)', 'g') m
      cross join lateral regexp_split_to_table(trim(m[1]), ' ') x (id) join pg_operator p on p.oid = x.id::oid
  ),
  fault (rank, why) as (
    select 1, case tag when 'SQLVALUEFUNCTION' then 'the clock and the session differ from worker to worker'
        when 'SUBLINK' then 'a subquery is not taken here'
        when 'XMLEXPR' then 'XML is not made here'
        else format('%s is not taken here', lower(tag)) end
      from node where tag not in ('QUERY', 'RTE', 'RANGETBLENTRY', 'ALIAS', 'RANGETBLREF', 'FROMEXPR', 'TARGETENTRY',
        'VAR', 'CONST', 'FUNCEXPR', 'NAMEDARGEXPR', 'OPEXPR', 'DISTINCTEXPR', 'NULLIFEXPR', 'SCALARARRAYOPEXPR',
        'ROWCOMPAREEXPR', 'BOOLEXPR', 'CASE', 'CASEEXPR', 'WHEN', 'CASEWHEN', 'CASETESTEXPR', 'COALESCE',
        'COALESCEEXPR', 'MINMAX', 'MINMAXEXPR', 'NULLTEST', 'BOOLEANTEST', 'ARRAY', 'ARRAYEXPR', 'ROW', 'ROWEXPR',
        'ARRAYCOERCEEXPR', 'RELABELTYPE', 'COLLATE', 'COLLATEEXPR', 'SUBSCRIPTINGREF', 'FIELDSELECT', 'COERCEVIAIO',
        'COERCETODOMAIN', 'COERCETODOMAINVALUE', 'CONVERTROWTYPEEXPR', 'PARTITIONBOUNDSPEC', 'PARTITIONRANGEDATUM')
    union all select 2, convoy.function_fault(id) from called
    union all select 3, 'a system column differs from worker to worker' from node where tag = 'VAR' and own ~ ':varattno -'
    union all select 4, convoy.reading_fault(substring(own from ':resulttype (\d+)')::oid) from node where tag = 'COERCEVIAIO'
    union all select 5, format('values of %s differ from worker to worker', t.id::regtype)
      from node cross join lateral convoy.types_named(own) t (id)
      where not (tag = 'CONST' and convoy.is_built_in(own) is true)
        -- A function of such an argument says its own type, and that is no fault.
        and convoy.is_of_worker(t.id)
    union all select 6, convoy.collation_fault(m[1]::oid) from regexp_matches(tree, ':(?:collOid|inputcollid) (\d+)', 'g') m
  )
  select why from fault where why is not null order by rank, why limit 1
$$;

-- Whether a tree holds a value that was read when the statement ran and may then have been the clock's.
create or replace function convoy.holds_instant(tree text) returns boolean
  language sql stable set search_path = pg_catalog as $$
  select exists (select from regexp_matches(tree, ':consttype (\d+) [^{}]*:constisnull (\w+)', 'g') m
    where m[2] = 'false' and convoy.reads_clock(m[1]::oid))
$$;

-- Collations other than these come from the machine, with other orders on other machines.
create or replace function convoy.collation_fault(collation_id oid) returns text
  language sql stable set search_path = pg_catalog as $$
  select format('the collation "%s" belongs to the machine: take "C"', c.collname)
  from pg_collation c where c.oid = collation_id and c.collname not in ('default', 'C', 'POSIX', 'ucs_basic')
$$;

-- Whether a literal of a statement's text names the clock. Only texts that are plain to read pass:
-- escapes, dollar quotes, nested comments and literals that go on in another line count as if they did.
create or replace function convoy.names_clock(sql text) returns boolean
  language sql immutable set search_path = pg_catalog as $$
  with piece (i, text) as (
    select i, m[1] from regexp_matches(sql,
      '(''(?:[^'']|'''')*''|"(?:[^"]|"")*"|--[^\n\r]*|/\*(?:[^*]|\*(?!/))*\*/|[^''"/-]+|.)', 'g') with ordinality x (m, i)
  )
  select sql ~* '\me''|\mu&''|\$\w*\$' or bool_or(text ~ '^/\*.*/\*')
    or string_agg(case when text ~ '^(--|/\*)' then ' ' when text ~ '^''' then '''' else text end, '' order by i) ~ '''\s*'''
    or bool_or(text ~ '^''' and text ~* '[^a-z](now|today|tomorrow|yesterday)[^a-z]')
  from piece
$$;
