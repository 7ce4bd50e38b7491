"""Things that a person does again and again, in passing, a short line each time.

In the templates {P} is the person's name, {day} a day of the week.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing to count."""

    did: tuple[str, ...]
    """It happened once; no two are used for the same person."""
    did_not: tuple[str, ...]
    """It was planned, called off, or only talked about."""
    other: tuple[str, ...]
    """The friend did it."""
    asks: tuple[str, ...]


LEADS = (
    "And otherwise, did you get out of the house at all, or was it only work and sleep and work again?",
    "Before I forget to ask, what have you been doing with your evenings since we spoke the last time?",
    "Tell me one thing from your week that has nothing to do with bills, weather or other people's health.",
    "You went quiet in the middle of the week, I was wondering whether you had eloped or just run out of credit.",
    "I tried to reach you one evening and it rang into the void, so where were you hiding this time?",
    "Give me something to live through, I have not left this street for what feels like a month.",
    "You look pleased with yourself, or is that the light? Come on, out with it, what did you do?",
    "Was there anything else this week? I have a cup of tea here and all the time in the world.",
)

REPLIES = (
    "Good for you. I had every intention of doing something useful and then the sofa simply closed over my head.",
    "And you only tell me now? I was sitting here with a crossword and a cold, you could have rung me from there.",
    "I wish I had the energy. By the time everyone here is fed and the pans are scrubbed I can hardly lift the remote.",
    "Typical. Meanwhile we spent the evening on the kitchen floor under the sink with a torch and a lot of words.",
    "Lovely. My week was forms, more forms, and a queue at the counter where they told me which form was missing.",
    "Ha, brilliant. You should hear what goes on here, the twins found the drum and the people below a broom.",
    "Sounds like you. I just sorted buttons by size for an hour and found it rather satisfying, so each to their own.",
    "I am impressed, as ever. The most daring thing that I did was to take the other way home, in the rain.",
    "Oh nice. We had the in-laws with their slides, four hundred slides, and the projector broke only near the end.",
    "You never sit still. I am typing this with my feet in a basin and no plans to take them out before the news.",
    "Was it busy? Here everybody is off sick at the same time, the whole building coughs like an old engine.",
    "Not jealous at all. I was in a meeting about meetings, and at the end of it we agreed to meet again about it.",
    "I can see it before me. My own adventure was a jar that would not open, and then it did, all over the ceiling.",
    "That makes one of us. I meant to go out, put on both boots, looked at the sky and took them off again.",
)

ACTIVITIES = (
    Activity(
        did=(
            "Went climbing on {day}, my forearms are useless today.",
            "I got up the yellow route at the climbing hall on {day}, finally.",
            "Climbing was packed on {day}, we mostly sat on the mats.",
            "I was out climbing on {day} and lost a toenail, I spare you the photo.",
            "Two hours of climbing on {day}, and then chips.",
            "I did my first outdoor climbing day, on real rock, and cried a little.",
            "Fell off the same hold nine times at climbing on {day}.",
            "A kid of eight overtook me at climbing on {day}. Twice.",
            "I borrowed shoes for climbing on {day}, a mistake, they were like flippers.",
            "Climbing on {day} was just me and a very silent man.",
            "I took my boss climbing on {day}, she was better than me.",
            "Squeezed in some climbing on {day} before the shops closed.",
        ),
        did_not=(
            "I wanted to go climbing on {day} but the hall was closed for new mats.",
            "Remind me to book climbing for next month, I keep forgetting.",
            "If my shoulder gets better I might go climbing again, we will see.",
        ),
        other=("I tried climbing with the office on {day}, never again.",
               "My turn to boast, I went climbing on {day}."),
        asks=("How many times has {P} gone climbing in all?", "On how many occasions did {P} do some climbing?"),
    ),
    Activity(
        did=(
            "Swam in the lake on {day}, the water was like knives.",
            "I had the lake to myself on {day}, swam to the buoy and back.",
            "Got stung by something in the lake on {day}, still itching.",
            "Swam right across the lake on {day}, with breaks.",
            "A swan chased me out of the lake on {day}.",
            "Ten minutes in the lake on {day}, I came out purple and happy.",
            "It poured while I was swimming in the lake on {day}, magical really.",
            "The lake was green soup on {day}, I swam anyway.",
            "I lost my goggles at the bottom of the lake on {day}.",
            "Swam in the lake with the early crowd on {day}, they bring cake.",
            "Did my lengths along the lake shore on {day}.",
            "Moonlight swim in the lake on {day}, do not tell my mother.",
        ),
        did_not=(
            "I stood at the lake on {day} with my towel and then simply went home.",
            "They say the lake will be closed for swimming next week.",
            "I should swim in the lake more often, everyone says so.",
        ),
        other=("I let them talk me into the lake on {day}, one toe.",
               "We swam in the lake on {day}, the whole family."),
        asks=("How many swims in the lake did {P} have?", "How often has {P} been in the lake for a swim?"),
    ),
    Activity(
        did=(
            "I did a shift at the food bank on {day}, mostly tins.",
            "Sorted carrots at the food bank on {day}, mountains of them.",
            "The food bank was short of people on {day}, so I stayed till nine.",
            "Drove the van for the food bank on {day}, I felt very tall.",
            "I was on the door at the food bank on {day}, so many new faces.",
            "Packed parcels at the food bank on {day} with the school kids.",
            "Food bank on {day}, somebody donated forty jars of olives.",
            "I did the food bank inventory on {day}, my eyes hurt.",
            "Helped out at the food bank on {day} and came home with flour in my hair.",
            "They let me run the till at the food bank on {day}.",
            "Food bank on {day} again, my knees have opinions.",
            "I mopped the whole food bank on {day}, glamorous.",
        ),
        did_not=(
            "The food bank wrote to ask about next month, I have not answered yet.",
            "I had to cancel the food bank on {day}, I had that cold.",
            "Somebody should write about the food bank in the paper.",
        ),
        other=("I signed up at the food bank and did my first {day}.", "I dropped two bags at the food bank on {day}."),
        asks=("How many times did {P} help at the food bank?", "How many food bank shifts has {P} done?"),
    ),
    Activity(
        did=(
            "Sang karaoke on {day}, my voice is gone.",
            "They made me do a duet at karaoke on {day}.",
            "Karaoke on {day} got out of hand, there was a cape.",
            "I did all the verses at karaoke on {day}, to polite applause.",
            "My colleagues now know about me and karaoke, since {day}.",
            "Karaoke on {day}, I finally hit that note.",
            "I was asked to stop at karaoke on {day}, in a nice way.",
            "We had the small karaoke room on {day} and fogged up the window.",
            "Karaoke on {day} with the neighbours, who can actually sing.",
            "I won a plastic trophy at karaoke on {day}.",
            "Forgot the words at karaoke on {day} and hummed the rest.",
            "Karaoke on {day}, in a bowling alley of all places.",
        ),
        did_not=(
            "They asked me to karaoke on {day} but I was asleep by nine.",
            "We might do karaoke for my birthday, nothing is booked.",
            "The karaoke bar has new owners, I hear.",
        ),
        other=("I was dragged to karaoke on {day} and held the coats.",
               "I did karaoke on {day}, there is a video, sadly."),
        asks=("How many karaoke nights did {P} take part in?", "How often has {P} got up to sing karaoke?"),
    ),
    Activity(
        did=(
            "Lost at the chess club on {day}, in nineteen moves.",
            "I beat the retired judge at the chess club on {day}.",
            "A draw at the chess club on {day}, we both fell asleep.",
            "The chess club on {day} was all teenagers, they are merciless.",
            "Played three quick ones at the chess club on {day}.",
            "I blundered my queen at the chess club on {day}, twice.",
            "Chess club on {day}, somebody brought a clock shaped like a frog.",
            "They put me on board two at the chess club on {day}.",
            "I taught a beginner at the chess club on {day}, she beat me.",
            "Chess club on {day} ran past midnight.",
            "I tried the Dutch at the chess club on {day}, it went badly.",
            "Won on time at the chess club on {day}, not proud.",
        ),
        did_not=(
            "No chess club for me on {day}, the bus never came.",
            "The chess club may move to the library next year.",
            "I keep meaning to pay my fee for the chess club.",
        ),
        other=("I looked in at your chess club on {day}, so quiet in there.",
               "My son played at the chess club on {day}."),
        asks=("How many evenings did {P} play at the chess club?", "How many times has {P} been to the chess club?"),
    ),
    Activity(
        did=(
            "Found a lamp at the flea market on {day}, no shade.",
            "I was at the flea market by six on {day}, in the dark.",
            "Sold my old skates at the flea market on {day}.",
            "The flea market was a mud bath on {day}, I bought boots there.",
            "I haggled over a clock at the flea market on {day} and lost.",
            "Flea market on {day}, I came home with a box of doorknobs.",
            "Bought somebody's entire stamp album at the flea market on {day}.",
            "I had a stall at the flea market on {day}, made eleven euros.",
            "The flea market on {day} was all baby clothes.",
            "Met my old teacher at the flea market on {day}, buying a sword.",
            "Flea market on {day}, one teapot, chipped, perfect.",
            "I carried a mirror home from the flea market on {day}, people stared.",
        ),
        did_not=(
            "I overslept the flea market on {day}.",
            "They want to move the flea market to the car park by the river.",
            "One day I will take a stall at the flea market just for lamps.",
        ),
        other=("I sold the pram at the flea market on {day}.",
               "I went round the flea market on {day}, ten minutes, too cold."),
        asks=("How many visits did {P} pay to the flea market?", "How often has {P} been at the flea market?"),
    ),
    Activity(
        did=(
            "I gave a tour at the museum on {day}, one visitor, very keen.",
            "Took my nephew to the museum on {day}, he liked the toilets.",
            "I slept through the museum talk on {day}, front row.",
            "The museum was free on {day}, so I saw the beetles again.",
            "I drew in the museum on {day} till a guard coughed.",
            "Got locked in at the museum on {day}, only for ten minutes.",
            "Museum on {day}, the whale is back.",
            "I met a woman who mends mummies at the museum on {day}.",
            "Rainy {day}, so I spent it in the museum with the clocks.",
            "I did the late opening at the museum on {day}, there was a band.",
            "Dragged my father round the museum on {day}.",
            "Went to the museum on {day} just for the cafe, if I am honest.",
        ),
        did_not=(
            "I had a ticket for the museum on {day} and gave it away.",
            "Is the museum still shut on Mondays? I must look it up.",
            "They are building a new wing for the museum, cranes everywhere.",
        ),
        other=("We did the museum on {day}, the twins ran the whole way.",
               "I was in the museum on {day}, on a school trip."),
        asks=("How many museum visits did {P} make?", "How often has {P} been to the museum?"),
    ),
    Activity(
        did=(
            "Baked bread on {day}, it could stop a door.",
            "My bread came out flat on {day}, we ate it anyway.",
            "Three loaves of bread on {day}, one for the postman.",
            "I tried bread with olives on {day}, a triumph.",
            "The bread on {day} rose so high that it touched the grill.",
            "Baked bread at midnight on {day}, couldn't sleep.",
            "I forgot the salt in the bread on {day}.",
            "My rye bread on {day} was grey but honest.",
            "Bread on {day}, with the last of the good flour.",
            "I baked a plaited bread on {day}, it looked like a foot.",
            "The smoke alarm joined in when I baked bread on {day}.",
            "I baked bread with beer instead of water on {day}, no regrets.",
        ),
        did_not=(
            "I wanted to bake bread on {day}, but no yeast anywhere.",
            "Shop bread for me this week, I am on strike.",
            "I saw a video about bread baked in a flowerpot, maybe one day.",
        ),
        other=("I baked bread on {day}, from a packet, be kind.", "Our oven died with the bread inside on {day}."),
        asks=("How many times did {P} bake bread?", "How many rounds of bread has {P} made at home?"),
    ),
)  # fmt: skip
