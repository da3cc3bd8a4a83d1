from django.views import generic

from .forms import ProductForm
from .models import Product


class IndexView(generic.ListView):
    model = Product
    template_name = "shop/index.html"
    context_object_name = "products"


class CreateView(generic.CreateView):
    form_class = ProductForm
    template_name = "shop/index.html"
    success_url = "/"
