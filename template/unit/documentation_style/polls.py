from django import forms
from django.contrib import admin
from django.db import models
from django.http import Http404
from django.shortcuts import render
from django.test import TestCase
from django.utils.safestring import mark_safe


class Question(models.Model):
    question_text = models.CharField(max_length=200, null=True)
    pub_date = models.DateTimeField("date published")

    class Meta:
        ordering = ["-pub_date"]


class Choice(models.Model):
    question = models.ForeignKey(Question, on_delete=models.CASCADE)
    votes = models.IntegerField(default=0)


class ChoiceInline(admin.TabularInline):
    model = Choice
    extra = 3


class QuestionAdmin(admin.ModelAdmin):
    fieldsets = [
        (None, {"fields": ["question_text"]}),
        ("Date information", {"fields": ["pub_date"]}),
    ]
    inlines = [ChoiceInline]
    list_display = ["question_text", "pub_date"]
    list_filter = ["pub_date"]
    search_fields = ["question_text"]


admin.site.register(Question, QuestionAdmin)


class QuestionForm(forms.ModelForm):
    class Meta:
        model = Question
        fields = "__all__"


class ChoiceForm(forms.ModelForm):
    class Meta:
        model = Choice
        fields = ["votes"]


def detail(request, question_id):
    try:
        question = Question.objects.get(pk=question_id)
    except Question.DoesNotExist:
        raise Http404("Question does not exist")
    return render(request, "polls/detail.html", {"question": question, "note": mark_safe("<b>new</b>")})


class QuestionTests(TestCase):
    fixtures = ["questions.json"]
