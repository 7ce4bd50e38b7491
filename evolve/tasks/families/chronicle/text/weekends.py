"""What people do once, on a weekend: the date is never in the words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outing:
    """One such event."""

    told: str
    """As the person tells it."""
    answer: str
    """As a short answer to "What did ... do?"."""
    called: str
    """As one refers to it later: "a week after ..."."""


REACTIONS = (
    "Stop it, really?", "I want to hear everything.", "That sounds like a film.", "You could have called me!",
    "Oh I would have loved that.", "And your back survived?", "Only you.", "How did that come about?",
    "I am laughing so much.", "Please say there are photos.", "I did nothing at all, so thank you.",
    "Was everybody all right?", "That beats my ironing.", "I can picture it exactly.", "Well, somebody had to.",
    "Was it worth it?", "I need to sit down.", "You make it sound so normal.",
)  # fmt: skip

ASIDES = (
    "I am still finding bits of it everywhere.", "It took far longer than anyone had promised.",
    "Nobody was hurt, in the end.", "I have never been so tired and so pleased.", "My shoes will never be the same.",
    "I would do it again tomorrow.", "It was my brother's idea, obviously.",
    "There was a lot of shouting and one song.", "I ached in places I had forgotten.",
    "The neighbours watched the whole thing.", "I had three sandwiches and no regrets.", "It cost next to nothing.",
    "And all of that with a cold.", "I kept thinking of you.",
)  # fmt: skip

OUTINGS = tuple(
    Outing(*row)
    for row in (
        ("I put up a greenhouse out of old windows.", "put up a greenhouse out of old windows",
         "the greenhouse building"),
        ("We took the night ferry to the islands and I was seasick both ways.", "took the night ferry to the islands",
         "the night ferry"),
        ("I drove a steam engine, with a real whistle.", "drove a steam engine", "the ride on the steam engine"),
        ("I helped my uncle move a grand piano down four floors.", "helped an uncle move a grand piano",
         "the piano move"),
        ("We went to a wedding in a barn and the cake slid off the table.", "went to a wedding in a barn",
         "the barn wedding"),
        ("I learnt to blow glass and made a vase that leans.", "learnt to blow glass", "the glass blowing"),
        ("I judged a jam competition in the village hall.", "judged a jam competition", "the jam competition"),
        ("We camped on the moor and a sheep ate the map.", "camped on the moor", "the night on the moor"),
        ("I cleared out my late aunt's attic and found her love letters.", "cleared out a late aunt's attic",
         "clearing the attic"),
        ("I ran the half marathon dressed as a lobster.", "ran the half marathon dressed as a lobster",
         "the half marathon"),
        ("We picked plums until the baskets broke.", "picked plums", "the plum picking"),
        ("I sat for a portrait and it looks like my father.", "sat for a portrait", "the portrait sitting"),
        ("I sailed a dinghy round the point and capsized twice.", "sailed a dinghy round the point", "the dinghy trip"),
        ("We dug a pond, and it already has one frog.", "dug a pond", "the digging of the pond"),
        ("I stood in for the organist at a christening.", "stood in for the organist at a christening",
         "the christening"),
        ("I went up in a balloon and kept my eyes shut.", "went up in a balloon", "the balloon flight"),
        ("We rebuilt the drystone wall behind the chapel.", "rebuilt a drystone wall behind the chapel",
         "the wall repair"),
        ("I took part in a spelling bee for adults and went out on rhubarb.", "took part in a spelling bee",
         "the spelling bee"),
        ("I showed my parents the opera for the first time, Mum sobbed.", "took the parents to the opera",
         "the opera evening"),
        ("We held a street party and the mayor danced with the butcher.", "held a street party", "the street party"),
        ("I slept in a tree house with a stove.", "slept in a tree house", "the tree house night"),
        ("I learnt to shear, one sheep, forty minutes.", "learnt to shear a sheep", "the sheep shearing"),
        ("We walked the whole Roman wall in a hailstorm.", "walked the Roman wall", "the Roman wall walk"),
        ("I restored Granddad's rocking chair, down to the last peg.", "restored a rocking chair",
         "the rocking chair repair"),
        ("I cooked for sixty at the scout camp, stew, all of it stew.", "cooked for sixty at the scout camp",
         "the scout camp"),
        ("We followed a brass band through the mountains.", "followed a brass band through the mountains",
         "the brass band walk"),
        ("I crewed a lifeboat drill, as the casualty.", "played the casualty in a lifeboat drill",
         "the lifeboat drill"),
        ("I kept bees for my neighbour and was stung on the eyelid.", "looked after a neighbour's bees",
         "minding the bees"),
        ("We tiled the bathroom, crooked but ours.", "tiled the bathroom", "the bathroom tiling"),
        ("I sang in a cathedral, third row, behind a pillar.", "sang in a cathedral", "the cathedral concert"),
        ("I won a ham in a raffle and carried it over the hill.", "won a ham in a raffle", "the ham raffle"),
        ("We watched the meteor shower from the roof of the school.", "watched a meteor shower", "the meteor shower"),
        ("I did a first aid course and bandaged a fireman.", "did a first aid course", "the first aid course"),
        ("I travelled to see my sister's new baby, all eyebrows.", "visited a sister's new baby",
         "the visit to the baby"),
        ("We pressed apples with the whole street, forty crates.", "pressed apples with the street",
         "the apple pressing"),
        ("I rode a tandem along the canal, in front.", "rode a tandem along the canal", "the tandem ride"),
        ("I painted the stage set for the pantomime, one enormous beanstalk.", "painted a stage set",
         "painting the stage set"),
        ("We were snowed in at a monastery and played cards with monks.", "was snowed in at a monastery",
         "the days in the monastery"),
        ("I repaired the church clock with two pensioners.", "repaired the church clock", "the church clock repair"),
        ("I went down a salt mine on a wooden slide.", "went down a salt mine", "the salt mine visit"),
        ("We fished for crabs with bacon, the count was nine.", "fished for crabs", "the crab fishing"),
        ("I chaired the debate about the bypass and got booed.", "chaired a debate about the bypass",
         "the bypass debate"),
        ("I tried falconry, the hawk preferred the car roof.", "tried falconry", "the falconry day"),
        ("We buried a time capsule under the bandstand.", "buried a time capsule", "the time capsule"),
        ("I built a go-cart with my nephew, no brakes.", "built a go-cart with a nephew", "the go-cart weekend"),
        ("I stayed awake through all four Godfather-length operas of the marathon night.",
         "sat through an opera marathon", "the marathon night"),
        ("We planted three hundred hedge saplings in the rain.", "planted three hundred saplings",
         "the hedge planting"),
        ("I called the numbers at the bingo for the roof fund.", "called the numbers at the bingo",
         "the bingo afternoon"),
        ("I took my driving test for lorries, and passed.", "passed a lorry driving test", "the lorry test"),
        ("We searched the woods for the neighbour's dog until dark.", "searched the woods for a dog",
         "the search for the dog"),
        ("I made cheese with a shepherd, in a copper kettle.", "made cheese with a shepherd", "the cheese making"),
        ("I played Father Frost at the hospital, on skates.", "played Father Frost at the hospital",
         "the Father Frost show"),
        ("We danced in a flash mob at the station and were moved on.", "danced in a flash mob", "the flash mob"),
        ("I unveiled the bench for my late godfather.", "unveiled a bench for a late godfather",
         "the unveiling of the bench"),
        ("I sewed a tent for the puppet theatre, by hand.", "sewed a tent for the puppet theatre",
         "sewing the puppet tent"),
        ("We rowed to the lighthouse and were given soup.", "rowed to the lighthouse", "the lighthouse trip"),
    )
)  # fmt: skip
