"""The least: it starts, it answers, it remembers."""

from running import Service


def test_it_answers_a_chat(yychat: Service) -> None:
    assert yychat.say("say hello there") == "hello there"


def test_it_remembers_what_a_user_said_before(yychat: Service) -> None:
    yychat.say("My dog is called Rex", user="smoke")
    assert "Rex" in yychat.say("What is my dog called?", user="smoke")


def test_it_forgets_nothing_into_another_user(yychat: Service) -> None:
    yychat.say("My dog is called Rex", user="smoke-a")
    assert "Rex" not in yychat.say("What is my dog called?", user="smoke-b")
