"""240 tests of the kinds that a project has: 120 of models, 80 of a view, 30 that log in, 10 that commit."""

import pytest
from django.contrib.auth import get_user_model

from .models import Category, Order, Product


def make_catalogue(number):
    category = Category.objects.create(name=f"category {number}")
    return [Product.objects.create(category=category, name=f"product {n}", price=n) for n in range(5)]


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(120))
def test_models(number):
    order = Order.objects.create(customer=get_user_model().objects.create(username="ada"))
    order.products.set(make_catalogue(number))
    assert order.products.filter(price__gte=2).count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(80))
def test_view(client, number):
    make_catalogue(number)
    assert len(client.get("/shop/products/").json()["products"]) == 5


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(30))
def test_login(client, number):
    get_user_model().objects.create_user("ada", password=f"secret {number}")
    assert client.login(username="ada", password=f"secret {number}")
    assert client.get("/shop/orders/").json() == {"orders": 0}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(10))
def test_commits(client, number):
    make_catalogue(number)
    assert len(client.get("/shop/products/").json()["products"]) == 5
