"""States that something else ends: the later turn says what holds instead, and not what it is about.

In the templates {v} is what holds, {P} the person's name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """One thing in a person's life that holds until it is ended."""

    befores: tuple[str, ...]
    afters: tuple[str, ...]
    said: str
    """What holds first, in the words of the questions."""
    lead: str
    """The friend comes back to it much later."""
    ended: str
    """The person's answer to that: what ended it, and what holds since."""
    asks: tuple[str, ...]
    """Questions that sound as if nothing had changed."""


STATES = (
    State(
        befores=("the green Saab", "a rusty Volvo", "the old Beetle", "a three-wheeler", "an orange Lada",
                 "the electric Twingo"),
        afters=("tram number nine", "the river ferry", "a folding bike", "the cable car", "roller skates",
                "the six o'clock bus"),
        said="I drive to work in {v}, twenty minutes each way with the windows down.",
        lead="And do you get to work all right in the mornings?",
        ended="The engine died on the bridge and the whole thing went for scrap, so I make do with {v}.",
        asks=("In what does {P} drive to work?", "What does {P} drive to work in the mornings?"),
    ),
    State(
        befores=("grilled mackerel", "lamb stew", "pork dumplings", "veal schnitzel", "duck noodles", "roast pigeon"),
        afters=("lentil dal", "mushroom barley", "chickpea curry", "tofu in black bean sauce", "stuffed peppers",
                "pumpkin gnocchi"),
        said="For guests I cook {v}, it is the one dish that never fails me.",
        lead="What do you cook when there are guests?",
        ended="Nothing that had a face, not since the visit to that farm. It is {v}, and they have to like it.",
        asks=("Which dish does {P} cook for guests?", "What does {P} cook when guests come?"),
    ),
    State(
        befores=("12 Harbour Lane", "3 Mill Court", "27 Foundry Street", "8 Priory Steps", "41 Canal Row",
                 "5 Orchard Close"),
        afters=("the yellow house by the lock", "the flat above the chemist", "a caravan behind the school",
                "the top floor of the mill", "the gatehouse in the park", "the room over the bakery"),
        said="Send parcels to {v}, the bell works if you lean on it.",
        lead="Where am I to send the parcel this time?",
        ended="They sold the building over our heads. Anything with string around it finds me in {v}.",
        asks=("To which address should a parcel for {P} be sent?", "Where should one send {P}'s parcels?"),
    ),
    State(
        befores=("the white tablets", "nettle drops", "a double aspirin", "the blue capsules", "willow bark tea",
                 "peppermint oil"),
        afters=("a cold flannel", "acupuncture pins", "magnesium powder", "an hour in the dark", "ginger lozenges",
                "a neck massage"),
        said="When a migraine comes I take {v} and lie down, an hour later it is gone.",
        lead="And when a migraine comes, what do you take?",
        ended="The specialist crossed that out, on account of my kidneys. All that is left to me is {v}.",
        asks=("What does {P} take when a migraine comes?", "Which remedy does {P} take against a migraine?"),
    ),
    State(
        befores=("the fencing hall", "the judo school", "the squash court", "the boxing gym", "the trampoline park",
                 "the rugby ground"),
        afters=("the aqua class", "chair yoga", "the boules pitch", "the rowing machine in the cellar",
                "tai chi on the lawn", "the bowling green"),
        said="I train at {v} on Tuesday nights, you will not reach me then.",
        lead="Do you train on Tuesday nights as ever?",
        ended="My knee made that decision for me, and the surgeon signed it. What they allow me is {v}, same hour.",
        asks=("Where does {P} train on Tuesday nights?", "At which place does {P} train on Tuesdays?"),
    ),
    State(
        befores=("Merchant Savings", "the Postal Bank", "Union Trust", "the Harbour Bank", "First Provincial",
                 "the Miners Bank"),
        afters=("the credit union", "a tin in the pantry", "the account of my sister", "the bank with the fox",
                "the building society", "the parish fund"),
        said="Transfer your half to my account at {v}, they know me there.",
        lead="To which account do I transfer my half?",
        ended="They shut the branch and lost my papers, I took out everything. What is mine goes to {v}.",
        asks=("At which bank is {P}'s account?", "Where is the account to which one transfers money for {P}?"),
    ),
    State(
        befores=("the Blue Anchor", "Café Mirabel", "the Copper Kettle", "the Spotted Hen", "the station buffet",
                 "the Tin Spoon"),
        afters=("the bakery van", "the balcony upstairs", "the canteen of the fire brigade", "the garden centre",
                "the museum kiosk", "a bench by the pond"),
        said="On Saturdays I have breakfast at {v}, the corner table is mine.",
        lead="And breakfast on Saturdays, the usual table?",
        ended="There are boards on the windows and a notice from the court. My eggs come from {v} since then.",
        asks=("Where does {P} have breakfast on Saturdays?", "At which place has {P} breakfast on Saturdays?"),
    ),
    State(
        befores=("the girl from number six", "old Mr Pell", "the piano tuner", "the widow downstairs",
                 "the boy from the kiosk", "the seamstress"),
        afters=("a retired nurse", "a pet hotel in the hills", "the choir mistress", "a student on the third floor",
                "the woman from the allotments", "the night porter"),
        said="When I am away {v} looks after the cat, they get on famously.",
        lead="Who looks after the cat when you are away?",
        ended="That was over after a bite and a bill. I hand bowl and basket to {v}, with a long list.",
        asks=("Who looks after {P}'s cat?", "Who looks after the cat when {P} is away?"),
    ),
    State(
        befores=("the cottage in Wales", "the houseboat in Friesland", "the hut in the Tatras", "the campsite on Elba",
                 "the inn at Hallstatt", "the lighthouse on Islay"),
        afters=("the monastery with the bees", "a bicycle tour along the Danube", "the language school in Malaga",
                "a work camp in the fens", "the spa with the sulphur", "my parents and their garden"),
        said="We have booked {v} for the summer holiday, the deposit is paid.",
        lead="Are you looking forward to the summer holiday?",
        ended="The owner wrote that a flood had taken the road, and the money with it. So it will be {v}.",
        asks=("Where will {P} spend the summer holiday?", "What has {P} booked for the summer holiday?"),
    ),
)  # fmt: skip
