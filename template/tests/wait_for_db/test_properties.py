"""What holds for whatever text a server, a proxy or a resolver sends; runs in the container of the foreign project."""

PROPERTIES = """
import re, django, os
os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'
django.setup()
from hypothesis import given, settings, strategies as st
from psycopg2 import errorcodes
from polls.wait_for_db import classify
from polls.wait_for_db.causes import NEVER

states = st.sampled_from(sorted(value for name, value in vars(errorcodes).items() if re.fullmatch('[0-9A-Z]{5}', str(value))))
words = st.text(st.characters(exclude_characters='\\n:'))

@settings(max_examples=1000)
@given(st.text())
def any_text_has_a_cause_of_one_printable_line(text):
    cause = classify(text)
    assert cause.name and cause.text.isprintable()
    assert cause.hint

@settings(max_examples=1000)
@given(words, states, words)
def the_sqlstate_decides_in_any_language(severity, state, text):
    cause = classify(f'{severity}:  {state}: {text}\\nLOCATION: f, a.c:1')
    assert cause.never == state.startswith(NEVER)
    assert f'(SQLSTATE {state})' in cause.text

@settings(max_examples=1000)
@given(st.text(st.characters(exclude_characters='"')))
def no_name_makes_a_refused_connection_hopeless(name):
    cause = classify(f'connection to server at "{name}", port 5432 failed: Connection refused')
    assert (cause.name, cause.never) == ('connection_refused', False)

for property in (any_text_has_a_cause_of_one_printable_line, the_sqlstate_decides_in_any_language, no_name_makes_a_refused_connection_hopeless):
    property()
    print(property.__name__)
"""


def test_properties(client):
    ended = client.start_python("-c", PROPERTIES).end()
    assert (ended.code, ended.stdout.count("\n")) == (0, 3), ended.stderr
