-- What an analysed expression (the text of a pg_node_tree) is made of, and why it may give another
-- value on another worker. Every worker has the same settings (configuration.ts), the same rows and
-- the same program; its clock, sessions, system columns and object identifiers are its own.
-- Everything is a positive list: an unknown node, a function that is not immutable, or a type whose
-- text is read with the help of the clock is a fault. Written anew at each start of a worker.
-- In plpgsql, which keeps its plans: in SQL each call would be planned anew, which took 100 ms.

-- The nodes of a tree with the text of their own. PostgreSQL writes "\" before braces, spaces and
-- parentheses in names, and constants as numbers, so a name cannot pass for a node.
create or replace function convoy.node_texts(tree text) returns table (tag text, own text)
  language plpgsql immutable set search_path = pg_catalog as $$
declare
  open int[] := '{}';
  tags text[] := '{}';
  owns text[] := '{}';
  piece text[];
  depth int := 0;
  n int := 0;
begin
  for piece in select regexp_matches(tree, '([{}])((?:[^{}\\]|\\.)*)', 'g') loop
    if piece[1] = '{' then
      n := n + 1;
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
  return query select * from unnest(tags, owns);
end $$;

-- These types and every type that their values hold.
create or replace function convoy.types_in(types oid[]) returns oid[]
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return array(
    with recursive held (id) as (
      select * from unnest(types)
      union
      select x.id from held join pg_type t on t.oid = held.id cross join lateral (
        -- A true array is one that its element names.
        select e.oid from pg_type e where e.oid = t.typelem and e.typarray = t.oid
        union all select t.typbasetype where t.typtype = 'd'
        union all select a.atttypid from pg_attribute a
          where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
        union all select r.rngsubtype from pg_range r where t.typtype = 'm' and r.rngmultitypid = t.oid) x (id)
    )
    select id from held);
end $$;

-- Why values of these types, or of what they hold, do not replicate; null where they do. This list,
-- and what types.it.test.ts shows of it, are what docs/values.md promises.
create or replace function convoy.type_fault(types oid[]) returns text
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return (select case when t.typname ~ '^reg' then format('values of type %s name objects of one worker: take text', t.typname)
      else format('values of type %s are not replicated', t.typname) end
    from unnest(convoy.types_in(types)) h (id) left join pg_type t on t.oid = h.id
    where not coalesce(t.typtype in ('e', 'd', 'c', 'r', 'm')
      or exists (select from pg_type e where e.oid = t.typelem and e.typarray = t.oid)
      or t.typtype = 'b' and t.typnamespace = 'pg_catalog'::regnamespace and t.typname in ('bool', 'int2', 'int4',
        'int8', 'oid', 'numeric', 'float4', 'float8', 'money', 'text', 'varchar', 'bpchar', 'char', 'name', 'bytea',
        'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'uuid', 'json', 'jsonb', 'jsonpath', 'xml',
        'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'point', 'line', 'lseg', 'box', 'path', 'polygon',
        'circle', 'tsvector', 'tsquery', 'pg_lsn', 'pg_snapshot'), false)
    limit 1);
end $$;

-- Tables with columns of types some of whose values cannot be read back from their text, however deep.
-- Each of their rows is read back before it is captured (convoy.attach).
create or replace function convoy.doubtful_tables() returns oid[]
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return array(
    with recursive holding (id, within) as materialized (
      select t.oid, t.typarray from pg_type t where t.typarray <> 0
      union all select t.typbasetype, t.oid from pg_type t where t.typtype = 'd'
      union all select r.rngsubtype, x.id from pg_range r cross join lateral (values (r.rngtypid), (r.rngmultitypid)) x (id)
      union all select a.atttypid, c.reltype from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'public'::regnamespace and c.reltype <> 0 and not a.attisdropped
    ), doubtful (id) as (
      select t.oid from pg_type t where t.typnamespace = 'pg_catalog'::regnamespace and t.typname in ('char', 'money',
        'timetz', 'interval', 'jsonpath', 'xml', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'tsvector',
        'tsquery', 'pg_snapshot')
      union
      select h.within from doubtful d join holding h on h.id = d.id
    )
    select distinct a.attrelid from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped
      and a.atttypid in (select id from doubtful));
end $$;

-- Types whose texts may name the clock: 'now', 'today', 'tomorrow', 'yesterday'.
create or replace function convoy.reads_clock(types oid[]) returns boolean
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return convoy.types_in(types)
    && '{date, time, timetz, timestamp, timestamptz}'::regtype[]::oid[];
end $$;

-- Why functions may give something else on another worker; null when they may not.
create or replace function convoy.function_fault(functions oid[]) returns text
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return (
    select case
      -- Constructors of range types are made with their types.
      when p.oid >= 16384 and not (p.prolang = 12 and p.prosrc ~ '^(range|multirange)_constructor')
        then format('%s() is not built in', p.proname)
      when p.proname ~ '^hash(enum|_record|_array|_range|_multirange)|^(record_image|btrecordimage)'
        then format('%s() may depend on object identifiers', p.proname)
      when p.proargtypes::oid[] || p.prorettype && '{cstring, internal}'::regtype[]::oid[]
        then format('%s() reads or prints text by a type', p.proname)
      when p.provolatile = 'i' then null
      -- Stable by PostgreSQL's word, for they depend on settings. Here those are the same everywhere
      -- (time zone, styles of dates, locale), and nothing else goes into them.
      when p.provolatile = 's' and (p.proname in ('concat', 'concat_ws', 'format', 'quote_literal', 'quote_nullable',
          'textanycat', 'anytextcat', 'to_char', 'to_number', 'to_date', 'array_to_string', 'to_json', 'to_jsonb',
          'json_build_array', 'json_build_object', 'jsonb_build_array', 'jsonb_build_object', 'row_to_json', 'array_to_json',
          'convert', 'convert_from', 'convert_to', 'make_timestamptz', 'overlaps', 'money', 'numeric', 'to_tsvector',
          'to_tsquery', 'plainto_tsquery', 'phraseto_tsquery', 'websearch_to_tsquery', 'json_to_tsvector',
          'jsonb_to_tsvector', 'date_trunc', 'date_part', 'extract', 'date_add', 'timestamptz_pl_interval',
          'timestamptz_mi_interval', 'interval_pl_timestamptz', 'timestamptz', 'timestamp', 'date', 'time', 'timetz')
        or (p.proname = 'to_timestamp' and p.pronargs = 2)
        or p.proname ~ '^(date|timestamp|timestamptz)_(eq|ne|lt|le|gt|ge|cmp)_(date|timestamp|timestamptz)$') then null
      else format('%s() may give another value on each worker', p.proname)
    end as why
    from pg_proc p where p.oid = any (functions) order by why limit 1);
end $$;

-- Collations other than these come from the machine, with other orders on other machines.
create or replace function convoy.collation_fault(collations oid[]) returns text
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return (select format('the collation "%s" belongs to the machine: take "C"', c.collname) from pg_collation c
    where c.oid = any (collations) and c.collname not in ('default', 'C', 'POSIX', 'ucs_basic') limit 1);
end $$;

-- The first reason why an expression may give another value on another worker; null when it may not.
create or replace function convoy.tree_fault(tree text) returns text
  language plpgsql stable strict set search_path = pg_catalog as $$
declare
  why text;
  -- Text search configurations and dictionaries of PostgreSQL's own (object ids below 16384) may be named.
  own_names text := '\{CONST :consttype (3734|3769) [^{}]*:constvalue 4 \[ -?\d+ (\d|[1-5]\d|6[0-3]) 0 0 [^{}]*\}';
  type_words text := ':(?:vartype|consttype|paramtype|funcresulttype|opresulttype|resulttype|array_typeid|element_typeid'
    || '|casetype|coalescetype|minmaxtype|row_typeid|refrestype|refcontainertype|refelemtype|typeId|type) ([1-9]\d*)';
  types oid[];
begin
  select case m[1] when 'SQLVALUEFUNCTION' then 'the clock and the session differ from worker to worker'
      when 'SUBLINK' then 'a subquery is not taken here'
      else format('%s is not taken here', lower(m[1])) end into why
    from regexp_matches(tree, '\{([A-Z_]*)', 'g') m where m[1] not in ('QUERY', 'RTE', 'RANGETBLENTRY', 'ALIAS',
      'RANGETBLREF', 'FROMEXPR', 'TARGETENTRY', 'VAR', 'CONST', 'FUNCEXPR', 'NAMEDARGEXPR', 'OPEXPR', 'DISTINCTEXPR',
      'NULLIFEXPR', 'SCALARARRAYOPEXPR', 'ROWCOMPAREEXPR', 'BOOLEXPR', 'CASE', 'CASEEXPR', 'WHEN', 'CASEWHEN',
      'CASETESTEXPR', 'COALESCE', 'COALESCEEXPR', 'MINMAX', 'MINMAXEXPR', 'NULLTEST', 'BOOLEANTEST', 'ARRAY', 'ARRAYEXPR',
      'ROW', 'ROWEXPR', 'ARRAYCOERCEEXPR', 'RELABELTYPE', 'COLLATE', 'COLLATEEXPR', 'SUBSCRIPTINGREF', 'FIELDSELECT',
      'COERCEVIAIO', 'COERCETODOMAIN', 'COERCETODOMAINVALUE', 'CONVERTROWTYPEEXPR', 'PARTITIONBOUNDSPEC',
      'PARTITIONRANGEDATUM') limit 1;
  if why is null and tree ~ ':varattno -' then why := 'a system column differs from worker to worker'; end if;
  why := coalesce(why, convoy.function_fault(array(
    select m[1]::oid from regexp_matches(tree, ':(?:funcid|opfuncid|elemfuncid|hashfuncid|negfuncid) (\d+)', 'g') m
    union select p.oprcode from regexp_matches(tree, ':(?:opno|eqop|sortop) (\d+)', 'g') m
      join pg_operator p on p.oid = m[1]::oid
    union select p.oprcode from regexp_matches(tree, ':opnos \(o((?: \d+)*)\)', 'g') m
      cross join lateral regexp_split_to_table(trim(m[1]), ' ') x (id) join pg_operator p on p.oid = x.id::oid)));
  if why is not null then return why; end if;
  types := convoy.types_in(array(
    select distinct m[1]::oid from regexp_matches(regexp_replace(tree, own_names, '', 'g'), type_words, 'g') m));
  select format('values of type %s differ from worker to worker', t.typname) into why from pg_type t
    where t.oid = any (types) and t.typnamespace = 'pg_catalog'::regnamespace and t.typname ~ '^(reg|aclitem|refcursor)' limit 1;
  if why is null and tree ~ '\{COERCEVIAIO ' then
    types := array(select substring(n.own from ':resulttype (\d+)')::oid from convoy.node_texts(tree) n where n.tag = 'COERCEVIAIO');
    if convoy.reads_clock(types) then why := 'reading a text as a date or time may ask the clock';
    elsif 'xml'::regtype::oid = any (convoy.types_in(types)) then why := 'XML is not read here';
    else why := convoy.type_fault(types);
    end if;
  end if;
  return coalesce(why, convoy.collation_fault(array(
    select m[1]::oid from regexp_matches(tree, ':(?:collOid|inputcollid) (\d+)', 'g') m)));
end $$;

-- Whether a tree holds a value that was read when the statement ran, and may then have been the clock's.
create or replace function convoy.holds_instant(tree text) returns boolean
  language plpgsql stable set search_path = pg_catalog as $$
begin
  return convoy.reads_clock(array(select m[1]::oid
    from regexp_matches(tree, ':consttype (\d+) [^{}]*:constisnull false', 'g') m));
end $$;

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
