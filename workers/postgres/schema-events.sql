-- Last of all, for they would fire on everything before. The names give the order. The
-- tags are those of users' schema changes (command.ts lets no others pass), not of what
-- attach() does itself, which would set it off again.
do $$
declare
  tags text := '''CREATE TABLE'', ''ALTER TABLE'', ''DROP TABLE'', ''CREATE TABLE AS'', ''SELECT INTO'',
    ''CREATE INDEX'', ''ALTER INDEX'', ''DROP INDEX'', ''CREATE VIEW'', ''ALTER VIEW'', ''DROP VIEW'',
    ''CREATE TYPE'', ''ALTER TYPE'', ''DROP TYPE'', ''CREATE DOMAIN'', ''ALTER DOMAIN'', ''DROP DOMAIN'',
    ''CREATE SEQUENCE'', ''ALTER SEQUENCE'', ''DROP SEQUENCE'', ''CREATE MATERIALIZED VIEW'',
    ''CREATE FOREIGN TABLE'', ''CREATE RULE'', ''ALTER TRIGGER'', ''DROP TRIGGER''';
begin
  execute format('create event trigger convoy_1_check on ddl_command_end when tag in (%s)
    execute function convoy.after_schema_change()', tags);
  execute format('create event trigger convoy_2_write on ddl_command_end when tag in (%s)
    execute function convoy.write_schema_change()', tags);
end $$;
create event trigger convoy_3_trigger on ddl_command_end when tag in ('CREATE TRIGGER')
  execute function convoy.check_new_trigger();
alter event trigger convoy_1_check enable always;
alter event trigger convoy_2_write enable always;
alter event trigger convoy_3_trigger enable always;
