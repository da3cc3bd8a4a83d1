"""Prints what a project can tell its database by. `manage.py shell` reads it."""

import json

from django.db import connection

cursor = connection.cursor()


def ask(sql):
    cursor.execute(sql)
    return cursor.fetchall()


for name in ["citext", "hstore", "pg_trgm", "unaccent", "btree_gist"]:
    cursor.execute(f"create extension if not exists {name}")

QUESTIONS = {
    "sort order": "select string_agg(c, ' ' order by c) from unnest(array['b', 'a', 'B', 'ä', 'Z', '_', '1', 'é']) c",
    "case": "select upper('straße äé'), lower('ÄÉ'), 'Ä' ilike 'ä', initcap('élan vital')",
    "collation": "select datlocprovider, datlocale, datcollate, datctype, pg_encoding_to_char(encoding) from pg_database"
    " where datname = current_database()",
    "extensions": "select 'A'::citext = 'a', ('a=>1'::hstore)->'a', similarity('word', 'words'), unaccent('Hôtel')",
    "ranges": "create temporary table r (room int, during tsrange, exclude using gist (room with =, during with &&));"
    "select count(*) from r",
    "text search": "select to_tsvector('The quick foxes'), current_setting('default_text_search_config')",
    "time": "select current_setting('TimeZone'), '2026-07-01 12:00'::timestamptz::text",
    "rights": "select rolsuper, rolcreatedb from pg_roles where rolname = current_user",
    "checksums": "select current_setting('data_checksums')",
}

answers = {name: ask(sql) for name, sql in QUESTIONS.items()}
answers["major"] = connection.pg_version // 10000
answers["settings"] = dict(ask("select name, setting from pg_settings"))
print("RESULT", json.dumps(answers, default=str))
