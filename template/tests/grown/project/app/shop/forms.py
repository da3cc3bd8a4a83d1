from django import forms

from .models import Product


class ProductForm(forms.ModelForm):
    class Meta:
        model = Product
        fields = ["name", "price", "category"]
        widgets = {"name": forms.TextInput(attrs={"size": 40})}
