"""Names, and the acquaintances that a second step leads to.

In the templates {n} is the acquaintance's name, {v} the value, {P} the person's name.
"""

from __future__ import annotations

from dataclasses import dataclass

PERSONS = (
    "Nora", "Tomas", "Priya", "Elliot", "Maren", "Kofi", "Lucia", "Owen", "Yuki", "Dario", "Freya", "Samir", "Bea",
    "Callum", "Ines", "Viktor", "Amara", "Jonas", "Leila", "Rupert", "Sofia", "Anton", "Zadie", "Mateo",
)  # fmt: skip
FRIENDS = (
    "Hannah", "Felix", "Rosa", "Ivan", "Gwen", "Marcus", "Tilda", "Omar", "Petra", "Louis", "Carmen", "Nils", "Judith",
    "Ravi", "Stella", "Hugo", "Agnes", "Milo", "Vera", "Dylan",
)  # fmt: skip
THIRDS = ("Robin", "Alex", "Kim", "Jamie", "Sascha", "Charlie", "Toni", "Noa", "Jules", "Sandy")
ACQUAINTANCES = (
    "Ingrid", "Bertrand", "Wilhelmina", "Cosmo", "Philippa", "Ludovic", "Magda", "Ambrose", "Thea", "Rasmus",
    "Henrietta", "Zoltan", "Odette", "Casper", "Beatrix", "Leopold", "Saoirse", "Ignatius", "Perpetua", "Matthias",
    "Cordelia", "Fergus", "Ottoline", "Balthazar", "Minnie", "Evander", "Rosalind", "Tancred", "Giselle", "Horatio",
    "Linnea", "Quentin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meeting:
    """How an acquaintance came into the person's life."""

    told: str
    who: str
    """As a question refers to the acquaintance without the name."""


@dataclass(frozen=True, slots=True)
class Trait:
    """One kind of fact about an acquaintance, told without a word of the question about it."""

    values: tuple[str, ...]
    told: tuple[str, ...]
    ask: str


MEETINGS = tuple(
    Meeting(*row)
    for row in (
        ("I got talking to the loud one from the pottery class, {n} is the name, clay up to the elbows.",
         "the person {P} met at the pottery class"),
        ("My new boss has arrived, {n}, with a handshake like a door closing.", "{P}'s new boss"),
        ("The upstairs neighbour finally introduced herself over the dripping ceiling, she is called {n}.",
         "{P}'s upstairs neighbour"),
        ("On the train to the coast I shared a table and a thermos with a stranger, {n}, we swapped addresses.",
         "the stranger who shared a table with {P} on the train to the coast"),
        ("The vet who saved the cat is called {n}, I could have kissed those rubber gloves.",
         "the vet who saved {P}'s cat"),
        ("Somebody bought my old bicycle at last, {n} came with exact change in an envelope.",
         "the buyer of {P}'s old bicycle"),
        ("My physio on the ward round was {n}, hands of iron.", "{P}'s physio"),
        ("The roofer came, {n}, and stood whistling on the ridge without a rope.",
         "the roofer who came to {P}'s house"),
        ("We had a guide for the cave tour, {n}, who switched the light off for a joke.",
         "the guide of {P}'s cave tour"),
        ("I swapped seats on the plane with someone called {n} and we ended up chatting for six hours.",
         "the person {P} swapped seats with on the plane"),
        ("My Portuguese teacher this term is {n}, no mercy, no English.", "{P}'s Portuguese teacher"),
        ("The winner of the pub quiz was a table of one, {n}, and I bought the next round to find out how.",
         "the winner of the pub quiz that {P} was at"),
        ("{n} pulled me out of the ditch with a tractor, in slippers.", "the one who pulled {P} out of the ditch"),
        ("The landlady of the holiday cottage was {n}, she left us a pie.", "the landlady of {P}'s holiday cottage"),
        ("I was paired with {n} for the bird count, we saw one gull.", "{P}'s partner for the bird count"),
        ("The tall understudy from the amateur theatre is {n}, we share a mirror.",
         "the understudy {P} knows from the amateur theatre"),
    )
)  # fmt: skip

TRAITS = (
    Trait(
        values=("the ice rink", "a crematorium", "the harbour pilots", "a trombone factory", "the tax office",
                "a reptile house", "the weather station", "a cough drop plant"),
        told=("{n} has started nights at {v}, badge and all.",
              "{n} is on the payroll of {v} since spring, would you have thought?"),
        ask="Where does {who} work?",
    ),
    Trait(
        values=("Reykjavik", "Palermo", "the Faroes", "Tbilisi", "Windhoek", "Riga", "La Paz", "Hobart"),
        told=("{n} grew up in {v}, hence the jumper.", "You can hear {v} in every vowel once {n} gets going."),
        ask="Which place does {who} come from?",
    ),
    Trait(
        values=("a one-eyed parrot", "two ferrets", "a tortoise", "a pig called Brian", "an axolotl", "five geese",
                "a blind greyhound", "a llama"),
        told=("{n} had to rush off, {v} got out again.", "I minded {v} for {n} on Thursday, my sleeves are in shreds."),
        ask="What animal does {who} keep?",
    ),
    Trait(
        values=("a tuba", "an accordion", "a theremin", "a lute", "bagpipes", "a banjo", "a cello", "a hurdy-gurdy"),
        told=("{n} turned up with {v} strapped to a bicycle.",
              "Through the wall I heard {n} wrestle with {v} until ten."),
        ask="Which instrument does {who} play?",
    ),
    Trait(
        values=("Mongolia", "Peru", "Iceland", "Oman", "Vietnam", "Malta", "Kenya", "Chile"),
        told=("{n} is off to {v} in a month, the tickets hang on the fridge.",
              "{n} has had all the jabs for {v} and a hat with a net."),
        ask="Which country is {who} going to visit?",
    ),
    Trait(
        values=("beetroot", "blue cheese", "coriander", "oysters", "marzipan", "liver", "custard", "raisins"),
        told=("{n} went pale at the sight of {v} and slid the plate across the table.",
              "Never offer {v} to {n}, I made that mistake for both of us."),
        ask="What food does {who} hate?",
    ),
)  # fmt: skip

MENTIONS = (
    "{n} says hello, by the way.", "I bumped into {n} at the tram stop.", "{n} still has my umbrella.",
    "Did I tell you that {n} waved at me from a bus?", "{n} sent a postcard with nothing on it.",
    "I owe {n} a phone call.",
)  # fmt: skip
ANSWERS = (
    "Ha, what a character.", "You do collect people.", "I have to meet this one.", "Well, well.",
    "That explains a lot.", "Small world, isn't it?", "And you kept a straight face?", "Nothing surprises me any more.",
    "I like the sound of that.",
)  # fmt: skip
