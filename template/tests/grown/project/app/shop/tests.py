from blog.models import Post
from core.models import User
from django.test import TestCase
from django.urls import reverse

from .models import Category, Product


class ShopTests(TestCase):
    fixtures = ["categories"]

    def test_the_index_lists_the_products(self):
        category = Category.objects.get(name="Boats")
        Product.objects.create(name="Dinghy", price="99.50", category=category)
        self.assertContains(self.client.get(reverse("shop:index")), "Dinghy: 99.50")

    def test_a_user_has_a_phone_and_writes_posts(self):
        user = User.objects.create_user("ann", phone="123")
        self.assertEqual(Post.objects.create(title="Hello", author=user).author.phone, "123")
