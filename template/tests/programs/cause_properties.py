"""What holds for whatever text a server, a proxy or a resolver sends: cause_properties.py NAME tries one property."""

import os
import re
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()

from hypothesis import given, settings
from hypothesis import strategies as st
from polls.wait_for_db import classify
from polls.wait_for_db.causes import PERMANENT
from psycopg2 import errorcodes

STATES = sorted(value for value in vars(errorcodes).values() if re.fullmatch("[0-9A-Z]{5}", str(value)))
WORDS = st.text(st.characters(exclude_characters="\n:"))


@settings(max_examples=1000)
@given(st.text())
def any_text_has_a_cause_of_one_printable_line(text):
    cause = classify(text)
    assert cause.name
    assert cause.text.isprintable()
    assert cause.hint


@settings(max_examples=1000)
@given(WORDS, st.sampled_from(STATES), WORDS)
def the_sqlstate_decides_in_any_language(severity, state, text):
    cause = classify(f"{severity}:  {state}: {text}\nLOCATION: f, a.c:1")
    assert cause.permanent == state.startswith(PERMANENT)
    assert f"(SQLSTATE {state})" in cause.text


@settings(max_examples=1000)
@given(st.text(st.characters(exclude_characters='"')))
def no_name_makes_a_refused_connection_hopeless(name):
    cause = classify(f'connection to server at "{name}", port 5432 failed: Connection refused')
    assert (cause.name, cause.permanent) == ("connection_refused", False)


globals()[sys.argv[1]]()
print("holds")
