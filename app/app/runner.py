from django.conf import settings
from django.test.runner import DiscoverRunner


class Runner(DiscoverRunner):
    """`manage.py test` without arguments finds the applications' tests from any folder, not only from manage.py's own."""

    def build_suite(self, test_labels=None, **kwargs):
        return super().build_suite(test_labels or [str(settings.BASE_DIR)], **kwargs)
