"""Facts that are said once, and the same kinds of fact about other people.

In the templates {v} is the value, {who} somebody else ("my cousin"), {P} the person's name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fact."""

    values: tuple[str, ...]
    asked: str
    """The friend asks for it."""
    reply: str
    """The person's answer to that: alone it does not say what it is about."""
    says: str
    """The person says it unasked."""
    others: tuple[str, ...]
    """The same kind of fact about somebody else; close to the questions in wording on purpose."""
    asks: tuple[str, ...]


SOMEBODY = (
    "my cousin", "my neighbour", "my brother-in-law", "the woman at the next desk", "our landlord", "my aunt",
    "my flatmate", "the new intern", "my uncle", "my old teacher", "the postman", "my godmother",
)  # fmt: skip

REPLIES = (
    "Good to know.", "Ha, noted.", "I had no idea.", "Honestly?", "I will try to remember that.", "Fair enough.",
    "Hm, I see.", "You never said.", "Well, there you are.", "Why not.", "Ah well.", "That made me smile.",
)  # fmt: skip

KINDS = (
    Kind(
        values=(
            "under the cracked flowerpot", "in the left wellington boot", "behind the loose brick",
            "inside the stone frog", "on a nail under the bench", "in the bird box",
        ),
        asked="If I arrive before you, where is the spare key hidden?",
        reply="It sits {v}, mind the spiders.",
        says="You can let yourself in, the key is {v}, jiggle it in the lock.",
        others=(
            "{who} hides the spare key {v}, everyone on the street knows.",
            "I told {who} not to leave the spare key {v}, but no.",
            "{who} lost the spare key, it used to be {v}.",
        ),
        asks=("Where is {P}'s spare key hidden?", "Where does {P} hide the spare key?"),
    ),
    Kind(
        values=("walnuts", "kiwi", "mussels", "sesame", "celery", "lupin flour"),
        asked="Is there anything you are allergic to, before I plan the menu?",
        reply="Only {v}, and then you would have to call somebody.",
        says="One bite with {v} in it and my throat closes up, so I always carry the pen.",
        others=(
            "{who} is allergic to {v}, so the whole buffet had labels.",
            "It turns out that {who} has an allergy to {v}.",
            "{who} pretends to be allergic to {v}, I am quite sure.",
        ),
        asks=("What is {P} allergic to?", "Which food allergy does {P} have?"),
    ),
    Kind(
        values=("Marigold", "Aurelius", "Juniper", "Thaddeus", "Clementine", "Barnaby"),
        asked="I never asked, what does the initial in your middle name stand for?",
        reply="Promise not to laugh. {v}.",
        says="In my passport it says {v} in the middle, a great-grandparent insisted.",
        others=(
            "{who} has the middle name {v} and uses it on parking tickets.",
            "Imagine, the middle name of {who} is {v}.",
            "{who} dropped the middle name {v} years ago.",
        ),
        asks=("What is {P}'s middle name?", "Which middle name was {P} given?"),
    ),
    Kind(
        values=("sorting eggs on a farm", "a paper round", "folding towels at a hotel", "wrapping cheese",
                "walking a vicar's dogs", "painting numbers on buoys"),
        asked="What was the very first job you were ever paid for?",
        reply="Oh, {v}, when I was fourteen, for pocket money and bruises.",
        says="At fourteen I earned my first wages with {v}, and spent it all on one jacket.",
        others=(
            "The first job that {who} had was {v}, apparently.",
            "{who} still talks about a first paid job, {v}.",
            "{who} got a first job at last, {v}, of all things.",
        ),
        asks=("What was {P}'s first paid job?", "What work was {P} first paid for?"),
    ),
    Kind(
        values=("a brass band", "the Lemon Twins", "a Johnny Cash impostor", "Sister Harbour", "the Nettles",
                "Captain Velvet"),
        asked="Which concert was your first, the first one ever?",
        reply="My dad took me on his shoulders to see {v}.",
        says="I was six when I heard {v} on a real stage, I had cotton wool in my ears.",
        others=(
            "The first concert {who} ever went to was {v}.",
            "{who} will not admit that the first concert was {v}.",
            "{who} has a ticket to a concert of {v}.",
        ),
        asks=("Who played at the first concert that {P} went to?", "Which was {P}'s first concert?"),
    ),
    Kind(
        values=("Trieste", "Lviv", "Galway", "Narvik", "Coimbra", "Plovdiv"),
        asked="Where was your grandmother from, with that wonderful accent?",
        reply="From {v}, she came over with one pan and a goose.",
        says="My grandmother left {v} at nineteen and swore in that dialect until the end.",
        others=(
            "The grandmother of {who} came from {v}, there is a street named after her.",
            "{who} is looking for the house of a grandmother from {v}.",
            "{who} says that every grandmother from {v} cooks like that.",
        ),
        asks=("Where did {P}'s grandmother come from?", "Which town was {P}'s grandmother from?"),
    ),
    Kind(
        values=("212", "47", "309", "88", "156", "671"),
        asked="Which locker is yours at the pool? I will put the towel in there.",
        reply="It says {v} on the door, the one that sticks.",
        says="My things are behind door {v} at the pool, give it a kick at the bottom.",
        others=(
            "{who} rents locker {v} at the pool and never goes.",
            "Somebody broke into the locker of {who}, number {v}.",
            "{who} wants to swap lockers, from {v} to anything by the window.",
        ),
        asks=("Which locker does {P} have at the pool?", "What is the number of {P}'s locker?"),
    ),
    Kind(
        values=("moths", "escalators", "wax figures", "deep water", "balloons", "revolving doors"),
        asked="Go on, tell me what you are most afraid of.",
        reply="{v}. I have been like this since I was four.",
        says="I know it is silly, but I break into a sweat when it comes to {v}.",
        others=(
            "{who} is afraid of {v} and still goes to the fair.",
            "I found out that {who} has a terrible fear of {v}.",
            "{who} gave a whole talk on being afraid of {v}.",
        ),
        asks=("What is {P} most afraid of?", "What does {P} fear?"),
    ),
    Kind(
        values=("the bassoon", "the triangle", "the harp", "the trombone", "the viola", "the xylophone"),
        asked="Did you have to play something in the school orchestra?",
        reply="They gave me {v}, because nobody else was tall enough.",
        says="At school I was put behind {v} for five years, at the very back.",
        others=(
            "{who} played {v} in the school orchestra and still has the blazer.",
            "The school orchestra wants {who} back, on {v}.",
            "{who} was thrown out of the school orchestra with {v} in hand.",
        ),
        asks=("What did {P} play in the school orchestra?", "Which part did {P} have in the orchestra at school?"),
    ),
    Kind(
        values=("Beans", "Professor", "Mouse", "the Duchess", "Button", "Noodle"),
        asked="What did the other children call you, did you have a nickname?",
        reply="{v}. It took a change of schools to get rid of it.",
        says="My brothers shouted {v} across the playground, and it stuck until I was grown.",
        others=(
            "The childhood nickname of {who} was {v}, can you believe it.",
            "{who} signed the card with an old nickname, {v}.",
            "Everybody at the party used the nickname {v} for {who}.",
        ),
        asks=("What was {P}'s nickname as a child?", "Which nickname did {P} have in childhood?"),
    ),
    Kind(
        values=("an anchor", "a teapot", "a tiny fern", "the number seven", "a running hare", "a compass"),
        asked="I saw ink on your shoulder, what is the tattoo?",
        reply="Just {v}, I was twenty and it was raining.",
        says="Under the sleeve I have {v} in blue ink, my mother still does not know.",
        others=(
            "{who} got a tattoo of {v} on the ankle.",
            "{who} wants a tattoo removed, {v}, not very big.",
            "You should see the tattoo that {who} has, {v}, across the back.",
        ),
        asks=("What does {P}'s tattoo show?", "What tattoo does {P} have?"),
    ),
    Kind(
        values=("a bread knife", "a garden gate", "a tin of sardines", "a rope swing", "an ice skate", "a goose"),
        asked="How did you get that scar on your chin?",
        reply="That was {v}, and my own fault.",
        says="My chin was stitched up after I lost against {v} when I was nine.",
        others=(
            "{who} has a scar too, from {v}.",
            "The scar of {who} came from {v}, the story gets longer every year.",
            "{who} says the scar is from a duel, but it was {v}.",
        ),
        asks=("What caused the scar on {P}'s chin?", "How did {P} get a scar?"),
    ),
    Kind(
        values=("oat milk and cardamom", "black with one ice cube", "condensed milk", "a spoon of honey",
                "double, with orange peel", "decaf with salt"),
        asked="I am at the counter, how do you take your coffee?",
        reply="With me it is {v}, they will look at you funny.",
        says="The barista starts on my coffee when I walk in, {v}, and shakes her head.",
        others=(
            "{who} takes coffee like this, {v}, and calls it medicine.",
            "I had to order coffee for {who}, {v}, I was so embarrassed.",
            "{who} gave up coffee, no more {v}.",
        ),
        asks=("How does {P} take coffee?", "What does {P} order when having coffee?"),
    ),
    Kind(
        values=("Lisbon", "Frankfurt", "Doha", "Oslo", "Athens", "Denver"),
        asked="At which airport did they lose your suitcase?",
        reply="In {v}, it is still there for all I know.",
        says="My suitcase went round and round in {v} without me and then vanished for good.",
        others=(
            "They lost the suitcase of {who} at the airport in {v}.",
            "{who} slept on a suitcase at the airport in {v}.",
            "{who} got a suitcase back, after a year, from the airport in {v}.",
        ),
        asks=("At which airport was {P}'s suitcase lost?", "Where did {P} lose a suitcase?"),
    ),
    Kind(
        values=("burnt orange", "pigeon grey", "bottle green", "apricot", "ink blue", "mustard"),
        asked="So what colour did you paint the hall in the end?",
        reply="It ended up {v}, and I love it with the lamps on.",
        says="When you come into my hall you will be hit by {v}, floor to ceiling.",
        others=(
            "{who} painted the hall {v} and regrets it.",
            "{who} asked what colour to paint a hall, I said {v} for fun.",
            "The hall at the house of {who} is painted {v}.",
        ),
        asks=("What colour did {P} paint the hall?", "In which colour is {P}'s hall painted?"),
    ),
    Kind(
        values=("wet tarmac", "new tennis balls", "sawdust", "cut fennel", "petrol", "old hymn books"),
        asked="Silly question for my course, what is your favourite smell?",
        reply="Easy, {v}. I could stand there for an hour.",
        says="Nothing makes me as happy through the nose as {v}, I close my eyes each time.",
        others=(
            "The favourite smell of {who} is {v}, so there.",
            "{who} has a candle with the smell of {v}.",
            "For {who} the best smell in the world is {v}.",
        ),
        asks=("What is {P}'s favourite smell?", "Which smell does {P} like best?"),
    ),
    Kind(
        values=("Gerald", "Her Majesty", "Spike", "Monsieur Vert", "Old Faithful", "Dolores"),
        asked="Does that huge house plant of yours have a name?",
        reply="Of course, meet {v}, eleven years old and thirsty.",
        says="I said goodnight to {v}, leaves and all, like every evening.",
        others=(
            "{who} calls a house plant {v} and plays it records.",
            "{who} wants me to water a plant with the name {v}.",
            "The plant of {who} is dead, poor {v}.",
        ),
        asks=("What is the name of {P}'s house plant?", "What does {P} call the big plant at home?"),
    ),
    Kind(
        values=("two burglars and a bishop", "a snowman", "the back half of a horse", "a talking tree",
                "the wrong shepherd", "a very small king"),
        asked="Were you ever in a school play, and as what?",
        reply="Once. I was {v}, with a beard that itched.",
        says="My stage career began and ended at school with {v}, in front of all the parents.",
        others=(
            "In the school play {who} was cast as {v}.",
            "{who} has to sew a costume for the school play, {v}.",
            "{who} forgot every line as {v} in the school play.",
        ),
        asks=("Which part did {P} have in the school play?", "What was {P} in the play at school?"),
    ),
)  # fmt: skip
