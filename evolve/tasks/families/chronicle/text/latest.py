"""Attributes that change all the time, and how they are spoken of.

In the templates {v} is the new value, {old} the one before it, {P} the person's name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing about a person that is replaced again and again."""

    values: tuple[str, ...]
    """More than the most updates that a life has, so that no value returns."""
    says: tuple[str, ...]
    """The person's statements, close to each other in wording on purpose."""
    tails: tuple[str, ...]
    """What the person goes on to say; fits every value."""
    echoes: tuple[str, ...]
    """The friend's replies: about the same attribute, without the new value."""
    others: tuple[str, ...]
    """The friend's own value."""
    maybes: tuple[str, ...]
    """A value that the person considered, or denies."""
    asks: tuple[str, ...]
    """Questions about the value of today."""


OPENERS = (
    "Small update from me.", "Oh, before I forget.", "You will laugh at this.", "Right, news.",
    "So, it happened again.", "Another change, sorry to keep doing this.", "I should tell you.",
    "Since you always ask.", "Do not roll your eyes.", "Well, that did not last.", "Guess what.", "For your records.",
    "Things move on.", "Quick one.", "Me again with this.",
)  # fmt: skip

ECHO_TAILS = (
    "I honestly cannot keep up with you.", "I give it three weeks.", "At least you are consistent in changing it.",
    "Tell me how it goes.", "You sound happier about it, so good.", "My head is spinning.",
    "I will write it in pencil.", "That is very you.", "No judgement, really.",
    "Somebody should draw a chart of these.", "I quite liked the last one.",
    "Fine, but then leave it alone for a while.", "Let me know before the next one, will you?",
)  # fmt: skip

ATTRIBUTES = (
    Attribute(
        values=(
            "The Salt Road", "A Year of Small Boats", "Ninepin", "The Glass Harbour", "Letters to a Lighthouse",
            "Under the Tin Roof", "The Beekeeper's Ledger", "Winterwood", "Forty Rooms", "The Quiet Parish",
            "Marrow Hill", "The Last Ferryman", "Orchard of Clocks", "Low Tide, High Street", "The Understudy's Coat",
            "Cold Lamps", "A Field Guide to Sulking", "The Mapmaker's Cough",
        ),
        says=(
            "I gave {old} back to the library, so the book I'm reading now is {v}.",
            "{old} is done and the book I'm reading now is {v}.",
            "I put {old} aside half way, and the book I'm reading now is {v}.",
        ),
        tails=(
            "It lives on the bedside table and gets ten minutes a night before the lamp falls on my face.",
            "The print is tiny and the chapters are long, yet I missed my stop twice because of it this week.",
            "My aunt pressed it on me with that look of hers, so there will be an exam at the next family lunch.",
            "So far nothing has happened and I am completely hooked, which is the best kind if you ask me.",
            "I am taking it everywhere, the cover already has a coffee ring and a bus ticket stuck in the middle.",
            "The first fifty pages were a slog, then somebody drowned and now I cannot put it down.",
        ),
        echoes=(
            "Another book already? You read the way other people eat crisps.",
            "What was wrong with {old}? I thought that book was the one for the year.",
            "I never know which book you mean any more.",
            "I still have not opened the book you gave me at Christmas.",
            "Your books must be in revolving doors.",
        ),
        others=(
            "Over here the book I'm reading now is {v}, slowly, mostly in the bath, and do not tell me how it ends.",
            "I have joined you lot, the book I'm reading now is {v}. It came with somebody's shopping list in it.",
        ),
        maybes=(
            "I looked at {v} in the shop as my next book, read one page by the till and put it back on the pile.",
            "No, I never did start {v}. Everyone thinks that is the book I'm reading, I must have praised the cover.",
        ),
        asks=(
            "Which book does {P} have on the go these days?",
            "What is the title of {P}'s current book?",
            "What book is on {P}'s bedside table at present?",
        ),
    ),
    Attribute(
        values=(
            "Leeds", "Bristol", "Porto", "Ghent", "Malmo", "Turin", "Cork", "Lyon", "Bergen", "Graz", "Utrecht",
            "Valencia", "Gdansk", "Basel", "Tartu", "Aarhus", "Brno", "Split",
        ),
        says=(
            "The contract in {old} is over and the city I'm living in now is {v}.",
            "They closed the office in {old}, so the city I'm living in now is {v}.",
            "I handed in the keys in {old} and the city I'm living in now is {v}.",
        ),
        tails=(
            "The flat is one room with a view of a car park, but the baker downstairs starts at four.",
            "I know nobody yet apart from the man at the key shop, who has already sold me three keys.",
            "Everything I own came in two suitcases and a plant pot, and the plant is taking it worst.",
            "The trams go past the window all night and I have decided to find that romantic.",
            "My boxes are still taped up, which at this rate saves time for the next move.",
            "It rains sideways, people are kind, and the supermarket closes at the oddest hours.",
        ),
        echoes=(
            "Another city! My address book has no space left under your name.",
            "Did {old} do something to offend you? That city suited you.",
            "I was just getting used to the last city.",
            "Living out of boxes again, then. What is this city like?",
            "How many cities is it now since we met?",
        ),
        others=(
            "And me, well, the city I'm living in now is {v}, at least until the lease thing is sorted out.",
            "You are not alone, the city I'm living in now is {v}. The cat came along in a laundry basket.",
        ),
        maybes=(
            "They talked about {v} as the next city for a while, but that fell through before I packed a single sock.",
            "No, I am not living in {v}, that was only a weekend with a lot of photos of one city gate.",
        ),
        asks=(
            "In which city is {P} based these days?",
            "What city does {P} call home at present?",
            "Where is {P} living currently, which city?",
        ),
    ),
    Attribute(
        values=(
            "Fiat Panda", "Volvo estate", "Mini", "Skoda Octavia", "Nissan Leaf", "Citroen Berlingo", "Honda Jazz",
            "Saab", "Renault Zoe", "Toyota Yaris", "Seat Ibiza", "Peugeot 205", "Ford Transit", "Mazda 2", "Opel Corsa",
            "Dacia Duster", "Smart", "Kia Picanto",
        ),
        says=(
            "The {old} went back to the sharing club, so the car I'm driving now is the {v}.",
            "Somebody else booked the {old}, so the car I'm driving now is the {v}.",
            "The {old} failed its inspection and the car I'm driving now is the {v}.",
        ),
        tails=(
            "The seat is stuck in a position for a much taller person, so I drive it sitting on a folded coat.",
            "There was half a sandwich and a dog lead in the glove box, no dog, and a very sad radio station.",
            "It does a strange cough at every traffic light, and the children next door now wave when they hear it.",
            "Parking it outside the house is a comedy, ask the neighbours, they bring chairs by now.",
            "The heater has two settings, off and desert, and I have learnt to drive in a T-shirt in January.",
            "The indicator sounds like a tiny horse and I have grown rather fond of that.",
        ),
        echoes=(
            "A different car again? I waved at a stranger for a full minute yesterday.",
            "I liked the {old}! That car had character.",
            "One day you will forget which car is yours and drive off in somebody's wedding.",
            "So I should stop looking for the old car outside your house.",
            "I have had the same car for eleven years, think about that.",
        ),
        others=(
            "Funny, the car I'm driving now is a {v}, my brother lent it to me while mine is having its gearbox done.",
            "At our end the car I'm driving now is a {v} from work, with their logo on both doors and a ladder on top.",
        ),
        maybes=(
            "I nearly took the {v} as my car this time, but the boot would not close over the cello.",
            "No, the {v} you saw in the drive is not the car I'm driving, it belongs to the plumber.",
        ),
        asks=(
            "What car does {P} get around in these days?",
            "Which car is {P} using at present?",
            "What is {P}'s current car?",
        ),
    ),
    Attribute(
        values=(
            "no sugar before noon", "Mediterranean", "five-two fasting", "vegan", "low salt", "raw food until dinner",
            "soup only", "pescatarian", "no dairy", "paleo", "potatoes and butter", "high protein", "macrobiotic",
            "gluten free", "six small meals", "nothing white", "no snacks", "fermented everything",
        ),
        says=(
            "I gave up on {old}, and the diet I'm on now is {v}.",
            "After {old} my doctor sighed, so the diet I'm on now is {v}.",
            "I lost my temper with {old} and the diet I'm on now is {v}.",
        ),
        tails=(
            "The first three days I was a monster, and on the fourth I cleaned the whole kitchen at dawn.",
            "My sister thinks it is nonsense and eats cake at me through the video call.",
            "There is a chart on the fridge with little stars, and yes, I award them to myself.",
            "I sleep better, or I think I do, and my jeans have stopped arguing with me.",
            "The shopping takes twice as long because I read every label like a detective novel.",
            "Ask me again after the wedding season, I make no promises around a buffet.",
        ),
        echoes=(
            "A new diet? You were so proud of the last one.",
            "What do I cook you on Friday with this diet, then?",
            "I thought {old} was the diet to end all diets.",
            "My only diet is finishing what the kids leave.",
            "Every diet works until somebody has a birthday.",
        ),
        others=(
            "My doctor put me on one too, the diet I'm on now is {v}, and I dream about toast.",
            "Since we are confessing, the diet I'm on now is {v}. It is going about as well as you think.",
        ),
        maybes=(
            "I read a whole article about {v} as a diet, and then I had a pie, so that was that.",
            "No, no, {v} is my mother's diet, I would not last until lunch on it.",
        ),
        asks=(
            "What diet is {P} following these days?",
            "Which diet does {P} keep to at present?",
            "What is {P}'s current diet?",
        ),
    ),
    Attribute(
        values=(
            "the Copper Pot", "Mario's", "the noodle bar by the bridge", "the museum canteen", "Blue Door",
            "the falafel van", "Hana", "the Turkish bakery", "the Old Pump House", "Pickle and Rye", "the fish stall",
            "Ama's Kitchen", "the station cafe", "Green Fork", "the dumpling place", "the Crooked Spoon", "Casa Lupe",
            "the soup cart",
        ),
        says=(
            "I went off {old}, and my favourite place for lunch now is {v}.",
            "{old} put the prices up, so my favourite place for lunch now is {v}.",
            "I was loyal to {old} for weeks, but my favourite place for lunch now is {v}.",
        ),
        tails=(
            "They know my name there already and start frying when they see me come round the corner.",
            "You queue for ages and share a table with strangers, and yesterday one of them showed me his stamps.",
            "I had the same plate four days in a row and I would have it for breakfast if they let me.",
            "It is a proper walk from my desk, so I count it as exercise and have the pudding as well.",
            "The owner sings when it is quiet and stops, offended, when somebody joins in.",
            "Take cash and an empty stomach, and do not under any circumstances ask for ketchup.",
        ),
        echoes=(
            "You have a new favourite for lunch every time I ring.",
            "I only just found {old}! It was a lovely place.",
            "My favourite lunch is the one somebody else pays for.",
            "We should go to this lunch place together before you tire of it.",
            "Lunch for me is a banana over the keyboard.",
        ),
        others=(
            "I don't get out much, but my favourite place for lunch now is {v}, with the wobbly stools.",
            "In my part of town my favourite place for lunch now is {v}. They do half portions if you look sad.",
        ),
        maybes=(
            "People keep telling me {v} would be my favourite for lunch, but it was shut both times I tried.",
            "No, {v} was never my favourite place, I only had lunch there because of the rain.",
        ),
        asks=(
            "Where does {P} like best to eat lunch these days?",
            "What is {P}'s favourite lunch spot currently?",
            "Which lunch place does {P} prefer at present?",
        ),
    ),
    Attribute(
        values=(
            "a Clementi sonatina", "a Bach minuet", "the Skye Boat Song", "a Chopin waltz", "Blue Moon", "Greensleeves",
            "the Moonlight Sonata", "a Scott Joplin rag", "Clair de Lune", "an old fado", "the Pink Panther theme",
            "a Schubert impromptu", "Moon River", "a Bartok dance", "Fly Me to the Moon", "a Satie gymnopedie",
            "Autumn Leaves", "a Grieg lullaby",
        ),
        says=(
            "My teacher has had enough of {old}, so the piece I'm practising now is {v}.",
            "I played {old} through without a stop, and the piece I'm practising now is {v}.",
            "We have given up on {old} and the piece I'm practising now is {v}.",
        ),
        tails=(
            "The left hand has a will of its own, and around bar twelve the two hands stop speaking to each other.",
            "The people upstairs know it by heart by now, I heard one of them whistle it on the stairs.",
            "I do twenty minutes with the soft pedal down before work and an hour on Sundays if nobody is in.",
            "There is one stretch in the middle that my fingers simply do not reach, so I jump and hope.",
            "I recorded myself on the phone and it sounded like somebody moving house, but in the right order.",
            "There is a pupils' concert in the spring and she wants me on the list, I said we would see.",
        ),
        echoes=(
            "A new piece! I was rather fond of the old one through the wall.",
            "Whatever happened to {old}? You had been practising that piece for ages.",
            "You must play me the piece when I come over.",
            "Practising was never my strong side, I was thrown out of the recorder group.",
            "Is this the piece with the jumps?",
        ),
        others=(
            "I have dug out the guitar too, the piece I'm practising now is {v}, and the dog leaves the room.",
            "Our choir is at it again, the piece I'm practising now is {v}, alto line, all on one note.",
        ),
        maybes=(
            "She offered me {v} as my next piece, and I laughed, and she did not, so we moved on quickly.",
            "No, {v} is not the piece I'm practising, that was the radio you heard.",
        ),
        asks=(
            "What piece is {P} learning to play these days?",
            "Which piece of music is {P} working on at present?",
            "What is {P}'s current piece at the keyboard?",
        ),
    ),
    Attribute(
        values=(
            "4471", "9028", "1163", "7750", "3395", "6204", "8817", "2549", "5032", "7186", "0694", "4928", "1370",
            "8253", "6641", "3907", "2218", "9586",
        ),
        says=(
            "The number ending in {old} is dead, and my phone number now ends in {v}.",
            "Please delete the one with {old}, my phone number now ends in {v}.",
            "They would not let me keep {old}, so my phone number now ends in {v}.",
        ),
        tails=(
            "It is a prepaid card again, the shop on the corner sells them next to the scratch cards and the onions.",
            "The rest is the same as ever, and if a very polite man answers, that is the person who had it before.",
            "I have told my mother twice and she still rings the neighbour to reach me.",
            "The bank wanted three forms and a photo of my face before they would believe me.",
            "I get messages for somebody called Doreen about her curtains, so do say who you are.",
            "Write it on the wall this time, I beg you, not on the back of an envelope.",
        ),
        echoes=(
            "Another phone number? I have six of you in here.",
            "So that is why {old} rang and rang.",
            "I will never learn a number by heart again.",
            "Does your mother have the new number?",
            "My phone thinks you are a crowd.",
        ),
        others=(
            "While you are at it, my phone number now ends in {v}, the old one was in the wash with my jeans.",
            "I have a new one as well, my phone number now ends in {v}. It was that or a contract until I retire.",
        ),
        maybes=(
            "They offered me a lovely phone number that ends in {v}, for a fee, so no thank you.",
            "No, the phone number that ends in {v} is the office, please don't ring it at night.",
        ),
        asks=(
            "How does {P}'s phone number end these days?",
            "What are the last digits of the number to reach {P} on currently?",
            "Which digits are at the end of {P}'s phone number at present?",
        ),
    ),
    Attribute(
        values=(
            "ten past five", "a quarter to six", "half past seven", "twenty to five", "six on the dot",
            "five past eight", "a quarter past four", "ten to seven", "twenty past six", "half past five",
            "five to nine", "a quarter to eight", "twenty-five to seven", "five past six", "half past eight",
            "ten to five", "twenty past seven", "seven sharp",
        ),
        says=(
            "{old} did not work out with the shifts, so the alarm is set for {v} now.",
            "I was late twice with {old}, and the alarm is set for {v} now.",
            "They changed the rota, so instead of {old} the alarm is set for {v} now.",
        ),
        tails=(
            "It plays a sort of harp that I used to like and can no longer hear without a feeling of doom.",
            "I put it on the other side of the room so that I have to get up and apologise to it.",
            "The radiator only comes on an hour after that, so I make tea in my coat and hat.",
            "The cat has worked out the new time already and is sitting on my chest five minutes before.",
            "I lay out my clothes on the chair the evening before, like a small fireman.",
            "On the bright side I have the kitchen to myself and the birds are doing their thing.",
        ),
        echoes=(
            "Your alarm has had a more varied life than I have.",
            "That alarm! I thought {old} was working for you.",
            "I do not own an alarm, I own children.",
            "When I hear alarm times like these I feel ill.",
            "Just leave the alarm alone and sleep.",
        ),
        others=(
            "My side of the street is not better, the alarm is set for {v} now, because the school bus moved.",
            "For me the alarm is set for {v} now, the baby decides the rest.",
        ),
        maybes=(
            "I tried the alarm at {v} for exactly one morning and I do not want to talk about it.",
            "No, {v} is what the clock in the hall says, the alarm has nothing to do with that.",
        ),
        asks=(
            "When does {P}'s alarm go off these days?",
            "What time does {P} have to get up at present, going by the alarm?",
            "For when is {P}'s alarm currently set?",
        ),
    ),
)  # fmt: skip
