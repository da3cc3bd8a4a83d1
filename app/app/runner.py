from django.conf import settings
from django.test.runner import DiscoverRunner

from core import test_databases


class AppTestRunner(DiscoverRunner):
    """
    `manage.py test` without arguments finds the tests of all apps from any folder, not only from manage.py's own. It
    replaces a test database that a killed run left, without a question.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs | {"interactive": False})

    def setup_databases(self, **kwargs):
        test_databases.claim_names(keep=self.keepdb)
        return super().setup_databases(**kwargs)

    def build_suite(self, test_labels=None, **kwargs):
        return super().build_suite(test_labels or [str(settings.BASE_DIR)], **kwargs)
