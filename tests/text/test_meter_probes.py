"""Probes of the gated meter: pairs that say the same in other words, and pairs that differ in one decisive way.

Every pair was written by hand before the meter was asked. No decisive difference may pass. Of the equivalent pairs those
in MISSED are called different all the same: the price, in sight.
"""

import pytest

from shammah_mlx.config import DivergenceConfig
from shammah_mlx.models.embedder import Embedder
from shammah_mlx.models.weights import Weights
from shammah_mlx.text.divergence import Meter, gated

Pairs = dict[str, tuple[str, str]]  # by a name of the pair

LONG = (
    "Before you move to another flat, write down what you own and what it is worth. Ask at least two firms for an offer and "
    "compare what they include. Most firms bring boxes, but some charge for them. Pack books into small boxes and clothes "
    "into large ones, since a large box of books is too heavy to lift. Wrap plates in paper and put them upright. Label "
    "every box with the room it belongs to. Empty the fridge the day before and let it dry with the door open. Tell the post "
    "office, your bank and your insurer the new address. Read the meters for water, gas and electricity together with the "
    "landlord and have both of you sign the sheet. Take pictures of every room when it is empty, so that nobody can say "
    "later that you left a mark on the wall. Keep a bag with clothes, medicine and papers for the first night. Bring the "
    "keys back in person and ask for a receipt. If you have pets, leave them with friends on that day, because open doors "
    "and strangers make them nervous. "
)

# fmt: off
EQUIVALENT: dict[str, Pairs] = {
    "short answer inside a sentence": {
        "capital": ("Canberra", "The capital of Australia is Canberra."),
        "author": ("Mary Shelley", "Frankenstein was written by Mary Shelley and published in 1818."),
        "year": ("1969", "Apollo 11 landed on the Moon in July 1969."),
        "port": ("443", "HTTPS uses port 443 by default."),
        "metal": ("Mercury", "The only metal that is liquid at room temperature is mercury."),
        "yes": ("Yes", "Yes, cooked rice can be frozen."),
        "no": ("No", "No. Bats are mammals, like dogs and people."),
        "colours": ("red, yellow and blue", "The three primary colours of paint are red, blue, and yellow."),
        "command-said": ("`wc -l notes.txt`", "You can count the lines with `wc -l notes.txt`."),
        "river": ("the Danube", "Vienna lies on the Danube."),
        "formula": ("H2O", "The chemical formula of water is H2O."),
        "count": ("eight", "Spiders have eight legs."),
        "false": ("False", "False: glass is not a liquid."),
    },
    "numbers written differently": {
        "thousands": ("12,500", "12500"),
        "digit-for-word": ("It takes three days to arrive.", "It takes 3 days to arrive."),
        "compound-word": ("twenty-one", "21"),
        "percent": ("About 15 percent of the budget goes into rent.", "About 15% of the budget goes into rent."),
        "million": ("8 million people live there.", "8,000,000 people live there."),
        "cents": ("The ticket costs $4.00.", "The ticket costs $4."),
        "kilometres": ("The trail is 10 km long.", "The trail is 10 kilometres long."),
        "date": ("The museum opens on 3 June 2021.", "The museum opens on June 3, 2021."),
        "hour": ("The shop opens at 9:00 am.", "The shop opens at 9 am."),
        "unit-space": ("Use a 16GB memory stick.", "Use a 16 GB memory stick."),
        "thousand": ("It holds 5 thousand people.", "It holds 5,000 people."),
        "degrees": ("Set the oven to 180 degrees Celsius.", "Set the oven to 180 °C."),
        "dollars": ("It costs 20 dollars.", "It costs $20."),
        "minutes": ("The flight takes 90 min.", "The flight takes 90 minutes."),
        "k": ("The town has 5k inhabitants.", "The town has 5,000 inhabitants."),
        "mixed": ("Add 1½ cups of milk.", "Add 1.5 cups of milk."),
        "megawatts": ("The turbine gives 5 MW.", "The turbine gives 5 megawatts."),
        "fewer": ("Fewer than 40 people came.", "Less than 40 people came."),
        "at-most": ("Use at most 4 drops.", "Use no more than 4 drops."),
        "over": ("Over 5 million people live there.", "More than 5,000,000 people live there."),
    },
    "shell": {
        "quotes": ('grep -rn "TODO" src', "grep -rn 'TODO' src"),
        "spaces": ("tar  -xzf   backup.tar.gz", "tar -xzf backup.tar.gz"),
        "fence": ("```bash\ndu -sh *\n```", "du -sh *"),
        "backticks": ("`chmod +x run.sh`", "chmod +x run.sh"),
        "prompt": ("$ docker ps -a", "docker ps -a"),
        "needless-quotes": ('grep -c "error" app.log', "grep -c error app.log"),
        "pipe": ("ps aux|grep nginx", "ps aux | grep nginx"),
        "redirect": ("sort names.txt >sorted.txt", "sort names.txt > sorted.txt"),
        "semicolon": ("cd build; make", "cd build ; make"),
    },
    "short paraphrase": {
        "restart": ("Restart your computer.", "You need to restart the computer."),
        "shade": ("Keep the plant in the shade.", "The plant should be kept in the shade."),
        "sky": ("The sky is blue because air scatters blue light more than red.",
                "Air scatters blue light more than red light, which is why the sky is blue."),
        "closed": ("The library is closed on Sundays.", "On Sundays the library is closed."),
        "bees": ("Bees make honey from nectar.", "Honey is made by bees from nectar."),
        "whale": ("A whale is a mammal, not a fish.", "Whales are mammals and not fish."),
        "boil": ("Boil the eggs for 10 minutes.", "The eggs should be boiled for ten minutes."),
        "big": ("It is a big city.", "It's a large city."),
        "passive": ("Edison's company sold the first bulbs.", "The first bulbs were sold by Edison's company."),
        "adverb": ("Usually the bus is late.", "The bus is usually late."),
        "delete": ("You can delete the old file.", "The old file can be removed."),
    },
    "long paraphrase": {
        "sourdough": (
            "A sourdough starter is flour and water in which wild yeast and bacteria live. Feed it every day with fresh flour "
            "and water, keep it warm, and after about a week it will be strong enough to raise bread.",
            "A sourdough starter is a mix of flour and water that is home to wild yeast and bacteria. If you keep it warm and "
            "feed it daily with fresh flour and water, it will be strong enough to raise bread after about a week.",
        ),
        "tides": (
            "Tides are caused mainly by the gravity of the Moon, which pulls the water of the oceans towards it. The Sun "
            "pulls as well, but its effect is less than half as strong.",
            "The main cause of tides is the Moon's gravity, which pulls the oceans' water towards it. The Sun also pulls, but "
            "its effect is less than half as strong.",
        ),
        "git-stash": (
            "If you want to put your changes aside for a while, run `git stash`. Your working directory is then clean, and "
            "`git stash pop` brings the changes back whenever you need them again.",
            "Run `git stash` to put your changes aside for a while, which leaves you with a clean working directory. Whenever "
            "you need the changes again, `git stash pop` brings them back.",
        ),
        "index": (
            "An index makes reading faster because the database can find rows without scanning the whole table. It makes "
            "writing slower because every insert has to update the index too.",
            "With an index the database finds rows without scanning the whole table, so reading gets faster. Writing gets "
            "slower, because every insert must also update the index.",
        ),
        "sleep": (
            "Adults should sleep between 7 and 9 hours a night. Going to bed at the same time every day and keeping screens "
            "out of the bedroom both help.",
            "Between 7 and 9 hours of sleep a night is right for adults. It helps to go to bed at the same time every day and "
            "to keep screens out of the bedroom.",
        ),
        "vaccine": (
            "A vaccine shows the immune system a harmless piece of a germ. The body then makes antibodies and remembers the "
            "germ, so it can react quickly if the real one ever arrives.",
            "Vaccines present a harmless part of a germ to the immune system. The body makes antibodies and keeps a memory of "
            "the germ, which lets it react quickly should the real one arrive.",
        ),
        "polite": (
            "Sure! To reset your password, open the sign-in page, click on Forgot password and follow the link in the email "
            "that we send you.",
            "To reset your password, open the sign-in page, click on Forgot password, and then follow the link in the email "
            "we send you. Let me know if you need anything else!",
        ),
        "bank": (
            "Inflation means that prices rise over time, so that the same amount of money buys less. Central banks raise "
            "interest rates in order to slow it down.",
            "When prices go up over time and the same amount of money buys less, we speak of inflation. To slow it down, "
            "central banks raise interest rates.",
        ),
        "synonym": (
            "To make the soup thicker, take out a cup of the vegetables, mash them with a fork and stir them back into the pot.",
            "To make the soup thicker, remove a cup of the vegetables, mash them with a fork and stir them back into the pot.",
        ),
        "more-said": (
            "Rust has no garbage collector. Memory is freed when the owner of a value goes out of scope, which the compiler "
            "checks before the program runs.",
            "Rust has no garbage collector. Instead, memory is freed when the owner of a value goes out of scope, and the "
            "compiler checks this before the program runs. That is why Rust programs are both safe and fast.",
        ),
        "tcp": (
            "TCP guarantees that data arrives complete and in order, which takes some extra messages. UDP just sends packets without checking, so it is faster but less reliable.",
            "With TCP, data is guaranteed to arrive complete and in order, at the price of some extra messages. UDP simply sends packets and does not check them, which makes it faster but less reliable.",
        ),
        "compost": (
            "Turn the compost every two weeks so that air gets in. If it smells bad, it is too wet: add some dry leaves or paper.",
            "You should turn the compost every two weeks to let air in. When it smells bad it is too wet, so add some paper or dry leaves.",
        ),
        "branch": (
            "Create a branch with `git switch -c fix`, commit your work there, and push it with `git push -u origin fix`. Then open a pull request.",
            "First create a new branch using `git switch -c fix`. Commit your work on it and push it using `git push -u origin fix`, then open a pull request.",
        ),
        "moon": (
            "The same side of the Moon always faces the Earth because it turns once around its axis in the time it takes to go round the Earth.",
            "Because the Moon turns once around its axis in the time it needs to go round the Earth, we always see the same side of it.",
        ),
        "coffee": (
            "Grind the beans just before you brew. Use about 60 grams of coffee for a litre of water, and let the water cool to 94 degrees first.",
            "Grind the beans right before brewing, take roughly 60 grams of coffee per litre of water, and let the water cool down to 94 degrees first.",
        ),
        "cache": (
            "A cache keeps copies of data that is used often in fast memory, so that the program does not have to fetch it again from the slow disk.",
            "A cache stores copies of frequently used data in fast memory so the program doesn't need to fetch it from the slow disk again.",
        ),
    },
    "layout": {
        "bullets-prose": (
            "You need four things to plant a tree:\n- a spade\n- a bucket of water\n- some compost\n- a wooden stake",
            "You need four things to plant a tree: a spade, a bucket of water, some compost and a wooden stake.",
        ),
        "bold": (
            "**Stack**: last in, first out. **Queue**: first in, first out.",
            "Stack: last in, first out. Queue: first in, first out.",
        ),
        "numbered": (
            "1. Turn off the router.\n2. Wait for thirty seconds.\n3. Turn the router on again.",
            "- Turn off the router.\n- Wait for 30 seconds.\n- Turn the router on again.",
        ),
        "steps-prose": (
            "1. Soak the beans overnight.\n2. Drain them and cover them with fresh water.\n3. Simmer them for 90 minutes.",
            "Soak the beans overnight. Drain them and cover them with fresh water. Simmer them for 90 minutes.",
        ),
        "heading": (
            "## Answer\n\nThe three states of matter that we meet every day are solid, liquid and gas; a fourth one is plasma.",
            "The three states of matter that we meet every day are solid, liquid and gas; a fourth one is plasma.",
        ),
        "long-tail": (
            LONG + "Pay the firm after the last box has been carried in.",
            LONG + "Pay the firm once the last box has been carried in.",
        ),
        "markdown": (
            "Three things matter:\n\n1. **Light**: at least six hours a day\n2. **Water**: once a week\n3. **Soil**: loose and rich",
            "Three things matter:\n- Light: at least six hours a day\n- Water: once a week\n- Soil: loose and rich",
        ),
        "reordered": ("You need flour, eggs, milk, and salt.", "You need: milk, flour, eggs, and salt."),
    },
    "code": {
        "operator-spaces": ("total = price*count", "total = price * count"),
        "comma-space": ("print(max(a,b))", "print(max(a, b))"),
        "quotes-in-code": ('name = data["name"]', "name = data['name']"),
        "indent-width": (
            "def area(width, height):\n  if width < 0:\n    raise ValueError\n  return width * height",
            "def area(width, height):\n    if width < 0:\n        raise ValueError\n    return width * height",
        ),
        "comment": (
            "```python\ncount = 0\nfor word in text.split():\n    count += 1  # one more\nprint(count)\n```",
            "```python\ncount = 0\nfor word in text.split():\n    count += 1\nprint(count)\n```",
        ),
        "blank-lines": (
            "def double(x):\n    y = x * 2\n    return y\n\n\nprint(double(4))",
            "def double(x):\n    y = x * 2\n\n    return y\n\nprint(double(4))",
        ),
        "code-with-words": (
            "You can reverse a string with a slice:\n\n```python\nbackwards = text[::-1]\n```",
            "Use a slice to reverse a string:\n\n```python\nbackwards = text[::-1]\n```",
        ),
        "json": ('{"name": "Ada", "age": 36}', '{\n  "name": "Ada",\n  "age": 36\n}'),
        "js": ("const total = items.reduce((a, b) => a + b, 0);", "const total = items.reduce((a,b)=>a+b,0)"),
        "long-shell": (
            "```sh\nfind . -type f -name '*.log' -mtime +30 -delete\n```",
            'find . -type f -name "*.log" -mtime +30 -delete',
        ),
        "comma": ("colours = ['red', 'green', 'blue',]", "colours = ['red', 'green', 'blue']"),
        "explained": (
            "To list the containers, run:\n\n```\ndocker ps\n```",
            "Run this to list the containers:\n\n```bash\ndocker ps\n```\n",
        ),
        "sql": ("SELECT name FROM users WHERE age > 18;", "select name\nfrom users\nwhere age > 18"),
    },
}

DECISIVE: dict[str, Pairs] = {
    "number": {
        "short": ("The bridge is 310 metres long.", "The bridge is 130 metres long."),
        "word": ("Add three eggs.", "Add four eggs."),
        "decimal": ("3.14", "31.4"),
        "version": ("It needs Python 3.11 or newer.", "It needs Python 3.12 or newer."),
        "compound": ("twenty-one", "twenty-two"),
        "ordinal": ("Press the second button from the left.", "Press the third button from the left."),
        "ordinal-digits": ("The treaty was signed in the 17th century after thirty years of war in the middle of Europe.",
                           "The treaty was signed in the 18th century after thirty years of war in the middle of Europe."),
        "range": ("Store it at 2 to 8 degrees.", "Store it at 2 to 18 degrees."),
        "fraction": ("Fill the glass to 1/2.", "Fill the glass to 1/3."),
        "fraction-word": (
            "Cook the rice with the lid on and let it stand until about half of the water has gone, then stir it gently.",
            "Cook the rice with the lid on and let it stand until about a quarter of the water has gone, then stir it gently.",
        ),
        "time": ("The train leaves at 10:15.", "The train leaves at 10:50."),
        "long": (
            "Heat the oven to 180 degrees and grease the tin well. Bake the cake for 35 minutes, then let it cool in the tin.",
            "Heat the oven to 180 degrees and grease the tin well. Bake the cake for 55 minutes, then let it cool in the tin.",
        ),
        "roles": (
            "For the dough you mix 2 cups of flour with 3 cups of water, add a pinch of salt and let it rest under a cloth.",
            "For the dough you mix 3 cups of flour with 2 cups of water, add a pinch of salt and let it rest under a cloth.",
        ),
        "extra-digit": ("Dial 112 in an emergency.", "Dial 1122 in an emergency."),
        "scale": (
            "According to the last census the city has about 3 million inhabitants, most of whom live north of the river.",
            "According to the last census the city has about 3 billion inhabitants, most of whom live north of the river.",
        ),
        "year": (
            "The wall fell in November 1989, after weeks of protests in many cities of the country, and nobody was hurt that night.",
            "The wall fell in November 1998, after weeks of protests in many cities of the country, and nobody was hurt that night.",
        ),
        "dose": (
            "Give the dog half a tablet in the morning and wait for an hour before you let it eat its first meal of the day.",
            "Give the dog a tablet in the morning and wait for an hour before you let it eat its first meal of the day.",
        ),
        "bullet": (
            "Ingredients:\n- 200 g of flour\n- 100 g of sugar\n- 3 eggs\n- a pinch of salt",
            "Ingredients:\n- 100 g of flour\n- 200 g of sugar\n- 3 eggs\n- a pinch of salt",
        ),
        "dates": ("She was born on 4 May 1950.", "She was born on 5 April 1950."),
        "dozen": (
            "The recipe makes a dozen small cakes that you can keep in a tin for up to one week if they stay cool and dry.",
            "The recipe makes a hundred small cakes that you can keep in a tin for up to one week if they stay cool and dry.",
        ),
        "roman": ("Chapter IV", "Chapter VI"),
        "chmod": ("chmod 644 key.pem", "chmod 600 key.pem"),
        "negative": (
            "The lowest temperature that was ever measured in the village is -12 degrees, on a night in the middle of January.",
            "The lowest temperature that was ever measured in the village is 12 degrees, on a night in the middle of January.",
        ),
    },
    "unit": {
        "mass": ("Take 500 mg of it.", "Take 500 g of it."),
        "time": ("Let the paint dry for 2 hours.", "Let the paint dry for 2 days."),
        "length": ("The station is 3 miles away.", "The station is 3 kilometres away."),
        "temperature": (
            "Heat the milk slowly to 80 °C while you keep stirring, and take it off the stove as soon as it starts to steam.",
            "Heat the milk slowly to 80 °F while you keep stirring, and take it off the stove as soon as it starts to steam.",
        ),
        "bytes": (
            "The server that we rent has 64 MB of memory and two fast disks, which is plenty for a small shop on the internet.",
            "The server that we rent has 64 GB of memory and two fast disks, which is plenty for a small shop on the internet.",
        ),
        "money": ("The fee is $30.", "The fee is €30."),
        "minutes-long": (
            "Rinse the lentils, cover them with cold water, bring them to the boil and let them simmer gently for 20 minutes.",
            "Rinse the lentils, cover them with cold water, bring them to the boil and let them simmer gently for 20 hours.",
        ),
        "period": (
            "The licence costs 40 euros per month and can be used by everyone who lives in the same household as the buyer.",
            "The licence costs 40 euros per year and can be used by everyone who lives in the same household as the buyer.",
        ),
        "bits": (
            "The line that the company offers carries 100 megabits per second, which is enough to watch films in three rooms.",
            "The line that the company offers carries 100 megabytes per second, which is enough to watch films in three rooms.",
        ),
        "am-pm": ("The office opens at 8 am.", "The office opens at 8 pm."),
        "percent": ("It grew by 5 percent.", "It grew by 5 percentage points."),
        "each": ("Take two pills a day.", "Take two pills an hour."),
        "inches": (
            "The shelf that fits between the window and the door of that small kitchen is about 30 inches wide and quite deep.",
            "The shelf that fits between the window and the door of that small kitchen is about 30 centimetres wide and quite deep.",
        ),
    },
    "negation": {
        "short": ("The mushroom is edible.", "The mushroom is not edible."),
        "prefix": ("This plug is compatible.", "This plug is incompatible."),
        "prefix-long": (
            "The new battery that you can order from the maker is compatible with all the models that were sold last year.",
            "The new battery that you can order from the maker is incompatible with all the models that were sold last year.",
        ),
        "without": (
            "You can enter the country with a visa if you stay for less than a month and have a ticket for the way back.",
            "You can enter the country without a visa if you stay for less than a month and have a ticket for the way back.",
        ),
        "moved": (
            "Cats can climb down a tree head first when they are in a hurry, but squirrels cannot do that in any season.",
            "Cats cannot climb down a tree head first when they are in a hurry, but squirrels can do that in any season.",
        ),
        "not-all": ("All swans are white.", "Not all swans are white."),
        "never": (
            "Always unplug the machine when you clean it and let it dry for an hour or so on a towel in the kitchen.",
            "Never unplug the machine when you clean it and let it dry for an hour or so on a towel in the kitchen.",
        ),
        "contraction": (
            "If the bulb flickers, that is normal for this kind of lamp and it doesn't mean that you have to replace it soon.",
            "If the bulb flickers, that is normal for this kind of lamp and it does mean that you have to replace it soon.",
        ),
        "nobody": ("Everybody may use the pool.", "Nobody may use the pool."),
        "only": (
            "The discount is valid for students who can show a card of their school at the counter before they pay the bill.",
            "The discount is valid except for students who can show a card of their school at the counter before they pay the bill.",
        ),
        "rarely": (
            "In this region it often snows in the last weeks of the winter, so most of the hotels have their own snow plough.",
            "In this region it rarely snows in the last weeks of the winter, so most of the hotels have their own snow plough.",
        ),
        "fails": ("The test passes.", "The test fails."),
        "two-dropped": (
            "You should not mix bleach with vinegar and you should not store them together in one closed cupboard at home.",
            "You should mix bleach with vinegar and you should store them together in one closed cupboard at home.",
        ),
        "should": ("You should water a cactus every day.", "You shouldn't water a cactus every day."),
        "no-longer": (
            "The function that you mention is supported in the latest release of the library, so you can rely on it for now.",
            "The function that you mention is no longer supported in the latest release of the library, so you can rely on it for now.",
        ),
        "un": (
            "The bridge near the old mill is stable, as the engineers who looked at it last month have written in their report.",
            "The bridge near the old mill is unstable, as the engineers who looked at it last month have written in their report.",
        ),
        "both": (
            "Parking is free on Sundays and paid on Saturdays in the streets around the station, as the signs at the corner say.",
            "Parking is paid on Sundays and free on Saturdays in the streets around the station, as the signs at the corner say.",
        ),
        "hardly": ("It matters.", "It hardly matters."),
        "lack": (
            "The soil in this part of the valley has plenty of iron, so the fruit trees of the farmers grow well and stay healthy.",
            "The soil in this part of the valley lacks iron, so the fruit trees of the farmers grow well and stay healthy.",
        ),
        "stop": (
            "Keep taking the pills even if you feel better after some days, and call the doctor when you have used up the pack.",
            "Stop taking the pills even if you feel better after some days, and call the doctor when you have used up the pack.",
        ),
        "paraphrase-not": (
            "Tomatoes are botanically a fruit. You can store them outside the fridge for several days, as the cold spoils their taste.",
            "Botanically, tomatoes are no fruit. You can store them outside the fridge for several days, since cold spoils their taste.",
        ),
    },
    "flag": {
        "letter": ("sort -n sizes.txt", "sort -r sizes.txt"),
        "case": ("ls -s", "ls -S"),
        "dropped": ("cp -r photos backup", "cp photos backup"),
        "long-option": ("npm install --save-dev jest", "npm install --save jest"),
        "in-prose": (
            "If you want to see hidden files as well, call ls with the flag -a in the folder that you would like to look at.",
            "If you want to see hidden files as well, call ls with the flag -l in the folder that you would like to look at.",
        ),
        "added-in-prose": (
            "When the branch is ready, open a terminal in the project and publish your work with git push to the shared server.",
            "When the branch is ready, open a terminal in the project and publish your work with git push --force to the shared server.",
        ),
        "case-in-prose": (
            "If you want to copy the whole folder with all that is in it, call scp with the flag -p and give it the address.",
            "If you want to copy the whole folder with all that is in it, call scp with the flag -P and give it the address.",
        ),
        "quoted-variable": ("echo '$HOME'", 'echo "$HOME"'),
        "space-in-path": ("rm -rf /tmp/cache", "rm -rf / tmp/cache"),
        "append": ("echo done >> log.txt", "echo done > log.txt"),
        "inside-quotes": ('grep "a  b" table.txt', 'grep "a b" table.txt'),
        "tar": ("tar -xzf a.tgz", "tar -czf a.tgz"),
        "grep": (
            "You can find the lines that have the word in them, whatever its case is, if you call grep with -i and the name of the file.",
            "You can find the lines that have the word in them, whatever its case is, if you call grep with -v and the name of the file.",
        ),
        "dry": ("rsync -av --dry-run src/ dst/", "rsync -av src/ dst/"),
        "code-block": (
            "To take the last commit back, run:\n\n```bash\ngit reset --soft HEAD~1\n```\n\nNothing else is needed.",
            "To take the last commit back, run:\n\n```bash\ngit reset --hard HEAD~1\n```\n\nNothing else is needed.",
        ),
    },
    "path": {
        "file": ("less /var/log/syslog", "less /var/log/auth.log"),
        "folder": ("The log is in /var/log/nginx.", "The log is in /var/log/apache2."),
        "relative": ("./install.sh", "../install.sh"),
        "case": ("cat Notes.txt", "cat notes.txt"),
        "in-prose": (
            "Put your public key into the file ~/.ssh/authorized_keys on the server and check that only you may read the file.",
            "Put your public key into the file ~/.ssh/known_hosts on the server and check that only you may read the file.",
        ),
        "url": (
            "You will find the form on https://example.org/forms/new and can hand it in there until the end of the month.",
            "You will find the form on https://example.org/forms/old and can hand it in there until the end of the month.",
        ),
        "windows": ("Open C:\\Users\\Public.", "Open C:\\Users\\Default."),
        "home": ("cd ~/work", "cd /work"),
        "slash": ("rsync -a src/ dst", "rsync -a src dst"),
        "ext": (
            "Save the table that you have made as report.csv and send it to the office before the end of the week, please.",
            "Save the table that you have made as report.xls and send it to the office before the end of the week, please.",
        ),
        "glob": ("rm *.o", "rm *.c"),
    },
    "identifier": {
        "snake": ("It is called max_size.", "It is called max_length."),
        "label": ("transfer_money", "transfer_status"),
        "environment": (
            "Set the variable HTTP_PROXY in your shell before you start the program, and it will send its requests that way.",
            "Set the variable HTTPS_PROXY in your shell before you start the program, and it will send its requests that way.",
        ),
        "lower-case": (
            "To install the package with the compiler that the project needs, ask the package manager for libfoo in a terminal.",
            "To install the package with the compiler that the project needs, ask the package manager for libbar in a terminal.",
        ),
        "method": (
            "Use the method append() of the list when you want to put one more element at its end without making a copy.",
            "Use the method extend() of the list when you want to put one more element at its end without making a copy.",
        ),
        "code-name": ("The flight is LH1402.", "The flight is LH1420."),
        "branch": ("git merge main", "git merge develop"),
        "class": (
            "In this case you want to use an ArrayList, since you only add elements at the end and read them by their position.",
            "In this case you want to use a LinkedList, since you only add elements at the end and read them by their position.",
        ),
        "package": ("pip install pillow", "pip install pil"),
        "key": ("Press Ctrl+C to stop it.", "Press Ctrl+Z to stop it."),
        "column": (
            "The result is grouped by the column user_id and then sorted by the number of orders, the largest one at the top.",
            "The result is grouped by the column order_id and then sorted by the number of orders, the largest one at the top.",
        ),
    },
    "order": {
        "arguments": ("cp a.txt b.txt", "cp b.txt a.txt"),
        "call": ("Call divide(total, count).", "Call divide(count, total)."),
        "before": (
            "You have to add the acid to the water before you put in the salt, and you should wear goggles all the time.",
            "You have to put in the salt before you add the acid to the water, and you should wear goggles all the time.",
        ),
        "subject": ("The cat chased the dog.", "The dog chased the cat."),
        "subject-long": (
            "In the final that was played in the rain last night, Portugal beat Norway after a long and very even second half.",
            "In the final that was played in the rain last night, Norway beat Portugal after a long and very even second half.",
        ),
        "comparison": ("Gold is heavier than silver.", "Silver is heavier than gold."),
        "comparison-long": (
            "If you only look at the price, the bus is cheaper than the train, but the train is the better choice for the family.",
            "If you only look at the price, the train is cheaper than the bus, but the bus is the better choice for the family.",
        ),
        "from-to": ("Fly from Oslo to Rome.", "Fly from Rome to Oslo."),
        "steps": (
            "1. Close the valve.\n2. Open the lid.\n3. Let the steam out.\n4. Take the filter out and rinse it with water.",
            "1. Open the lid.\n2. Close the valve.\n3. Let the steam out.\n4. Take the filter out and rinse it with water.",
        ),
        "cause": (
            "In this model of the economy a rise in wages leads to a rise in prices, which the study shows with a lot of data.",
            "In this model of the economy a rise in prices leads to a rise in wages, which the study shows with a lot of data.",
        ),
        "mv": ("mv old.txt new.txt", "mv new.txt old.txt"),
        "bare": ("git rebase main feature", "git rebase feature main"),
        "convert": (
            "This little script converts all of the files in the folder from JSON to YAML and writes a line for each one of them.",
            "This little script converts all of the files in the folder from YAML to JSON and writes a line for each one of them.",
        ),
        "older": (
            "Anna, who lives next to the school with her two dogs, is older than Maria, who only moved to the town last year.",
            "Maria, who lives next to the school with her two dogs, is older than Anna, who only moved to the town last year.",
        ),
        "after": ("Wash your hands before you cook.", "Cook before you wash your hands."),
        "then": (
            "First stop the server, then copy the database, and start the server again as soon as the copy has been made.",
            "First copy the database, then stop the server, and start the server again as soon as the copy has been made.",
        ),
        "passive": ("The wolf ate the sheep.", "The wolf was eaten by the sheep."),
        "map": (
            "The function that you pass maps each key to a value, and the table then stores the pair in one of its buckets.",
            "The function that you pass maps each value to a key, and the table then stores the pair in one of its buckets.",
        ),
        "parent": ("Paul is the father of Peter.", "Peter is the father of Paul."),
        "eat": (
            "Small fish eat plankton, birds eat small fish, and that is how the poison gets into the food chain of the lake.",
            "Small fish eat birds, plankton eat small fish, and that is how the poison gets into the food chain of the lake.",
        ),
    },
    "entity": {
        "person": ("It was painted by Vermeer.", "It was painted by Rembrandt."),
        "thing": ("The bowl is made of copper.", "The bowl is made of zinc."),
        "animal-long": (
            "The animal that sleeps the longest and spends most of its day in the trees of the forest is called the koala.",
            "The animal that sleeps the longest and spends most of its day in the trees of the forest is called the sloth.",
        ),
        "liquid-long": (
            "To clean the kettle, fill it with water and a spoon of vinegar, bring it to the boil and leave it for an hour.",
            "To clean the kettle, fill it with water and a spoon of bleach, bring it to the boil and leave it for an hour.",
        ),
        "weekday": (
            "The market with fruit and vegetables from the region takes place in front of the town hall on every Tuesday.",
            "The market with fruit and vegetables from the region takes place in front of the town hall on every Thursday.",
        ),
        "month": ("Plant the bulbs in October.", "Plant the bulbs in April."),
        "colour": (
            "To turn the alarm off, press the green button below the screen for a few seconds until you hear a short beep.",
            "To turn the alarm off, press the red button below the screen for a few seconds until you hear a short beep.",
        ),
        "language": (
            "The first version of the program was written in java by two students who wanted to plan their exams with it.",
            "The first version of the program was written in python by two students who wanted to plan their exams with it.",
        ),
        "direction": ("Go east.", "Go west."),
        "first-word": (
            "Potassium is what you need to give to the plants in your garden when the edges of their leaves turn brown.",
            "Nitrogen is what you need to give to the plants in your garden when the edges of their leaves turn brown.",
        ),
        "verb": (
            "When the warning appears on the screen, accept the certificate of the server and continue with the next page.",
            "When the warning appears on the screen, reject the certificate of the server and continue with the next page.",
        ),
        "quantifier": (
            "According to the rules of the house some of the rooms may be used for parties until late if the guests are quiet.",
            "According to the rules of the house all of the rooms may be used for parties until late if the guests are quiet.",
        ),
        "planet": ("Venus", "Mars"),
        "gas": (
            "The gas that fills the tubes of those bright red signs which you see in the windows of bars and shops is neon.",
            "The gas that fills the tubes of those bright red signs which you see in the windows of bars and shops is argon.",
        ),
        "organ": (
            "Insulin is made in a gland behind the stomach that is called the pancreas, and it lets the cells take in sugar.",
            "Insulin is made in a gland behind the stomach that is called the spleen, and it lets the cells take in sugar.",
        ),
        "tool": (
            "To tighten the nut you need a wrench of the right size and a little patience, since the pipe is old and worn.",
            "To tighten the nut you need a hammer of the right size and a little patience, since the pipe is old and worn.",
        ),
        "country": (
            "The treaty that ended the war was signed in Sweden after two years of talks which often were about to break down.",
            "The treaty that ended the war was signed in Finland after two years of talks which often were about to break down.",
        ),
        "pronoun": (
            "The letter says that he will pay for the damage to the fence and that the work can begin at the end of the month.",
            "The letter says that she will pay for the damage to the fence and that the work can begin at the end of the month.",
        ),
        "modal": (
            "Guests must leave their shoes at the door of the house and may use the slippers that stand on the shelf there.",
            "Guests may leave their shoes at the door of the house and must use the slippers that stand on the shelf there.",
        ),
        "and-or": (
            "To get the discount you need a student card and a letter from your school that is not older than three months.",
            "To get the discount you need a student card or a letter from your school that is not older than three months.",
        ),
        "up-down": (
            "When the water gets too warm for the fish, turn the small wheel at the back of the tank up by one or two marks.",
            "When the water gets too warm for the fish, turn the small wheel at the back of the tank down by one or two marks.",
        ),
        "two-changes": (
            "For a strong glue, mix flour with hot water and stir until it is smooth; it keeps for about a week in the fridge.",
            "If you need strong glue, mix starch with hot water, stirring until it's smooth. It will keep about a week in the fridge.",
        ),
    },
    "tail of a long text": {
        "number": (LONG + "The deposit must be paid back within 6 months.", LONG + "The deposit must be paid back within 3 months."),
        "negation": (LONG + "The firm is liable for what breaks.", LONG + "The firm is not liable for what breaks."),
        "thing": (LONG + "Last of all, clean the oven.", LONG + "Last of all, clean the windows."),
        "subject": (LONG + "The tenant pays the agent.", LONG + "The agent pays the tenant."),
        "other-advice": (LONG + "Sell the piano.", LONG + "Take the piano along and have it tuned."),
    },
    "code": {
        "operator": ("return a + b", "return a - b"),
        "comparison": ("if x < 10:", "if x <= 10:"),
        "off-by-one": (
            "```python\nfor i in range(n):\n    print(items[i])\n    total += items[i]\nprint(total)\n```",
            "```python\nfor i in range(n - 1):\n    print(items[i])\n    total += items[i]\nprint(total)\n```",
        ),
        "variable": (
            "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n    return total / len(values)",
            "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n    return value / len(values)",
        ),
        "boundary": (
            "def find(items, wanted):\n    low = 0\n    high = len(items)\n    while low < high:\n        middle = (low + high) // 2\n"
            "        if items[middle] < wanted:\n            low = middle + 1\n        else:\n            high = middle\n    return low",
            "def find(items, wanted):\n    low = 0\n    high = len(items)\n    while low <= high:\n        middle = (low + high) // 2\n"
            "        if items[middle] < wanted:\n            low = middle + 1\n        else:\n            high = middle\n    return low",
        ),
        "indentation": (
            "for name in names:\n    greet(name)\n    count += 1\nprint(count)",
            "for name in names:\n    greet(name)\n    count += 1\n    print(count)",
        ),
        "string-or-variable": ('print("total")', "print(total)"),
        "logic": (
            "if user.is_admin and user.is_active:\n    allow(user)\n    log(user)\n    return page\nreturn None",
            "if user.is_admin or user.is_active:\n    allow(user)\n    log(user)\n    return page\nreturn None",
        ),
        "code-in-prose": (
            "Here is how to keep only the even numbers of a list:\n\n```python\neven = [n for n in numbers if n % 2 == 0]\n```\n\nIt makes a new list.",
            "Here is how to keep only the even numbers of a list:\n\n```python\neven = [n for n in numbers if n % 2 != 0]\n```\n\nIt makes a new list.",
        ),
        "swapped": (
            "The quotient is computed by this line:\n\n```python\nresult = top / bottom\n```\n\nCheck first that it can be done.",
            "The quotient is computed by this line:\n\n```python\nresult = bottom / top\n```\n\nCheck first that it can be done.",
        ),
        "sql": ("SELECT name FROM users WHERE age > 18;", "SELECT name FROM users WHERE age < 18;"),
        "sql-join": (
            "SELECT users.name, orders.total\nFROM users\nLEFT JOIN orders ON orders.user_id = users.id\nWHERE orders.total > 100\nORDER BY orders.total;",
            "SELECT users.name, orders.total\nFROM users\nRIGHT JOIN orders ON orders.user_id = users.id\nWHERE orders.total > 100\nORDER BY orders.total;",
        ),
        "regex": ("^[a-z]+$", "^[a-z]*$"),
        "sign": ("x = -1", "x = 1"),
        "minus-one": ("last = items[len(items) - 1]", "last = items[len(items)]"),
        "eq": ("if (a == b) {\n  run();\n}", "if (a = b) {\n  run();\n}"),
        "true": ("debug = True", "debug = False"),
        "inline": (
            "You get the rest of a division with the operator `a % b` in this language, and it takes the sign of the divisor.",
            "You get the rest of a division with the operator `a / b` in this language, and it takes the sign of the divisor.",
        ),
        "sort": ("items.sort(reverse=True)", "items.sort()"),
        "return-indent": (
            "def count(items):\n    n = 0\n    for item in items:\n        n += 1\n    return n",
            "def count(items):\n    n = 0\n    for item in items:\n        n += 1\n        return n",
        ),
        "sql-and": ("DELETE FROM logs WHERE old = 1 AND size > 10;", "DELETE FROM logs WHERE old = 1 OR size > 10;"),
        "css": (
            "Set `margin: 0 auto` on the box to have it in the middle of the page, and give it a width so that this can work.",
            "Set `margin: auto 0` on the box to have it in the middle of the page, and give it a width so that this can work.",
        ),
        "yaml": ("replicas: 3\nimage: web", "replicas: 2\nimage: web"),
    },
    "bound": {
        "less": ("42", "less than 42"),
        "more": ("The walk takes more than 3 hours.", "The walk takes 3 hours."),
        "at-least": ("Let it rest for at least 10 minutes.", "Let it rest for 10 minutes."),
        "up-to": ("You may bring up to 5 guests.", "You may bring 5 guests."),
        "least-most": ("Add at least 2 spoons of salt.", "Add at most 2 spoons of salt."),
        "over-under": ("Over 40 people came.", "Under 40 people came."),
        "over-under-word": ("Over twenty people came.", "Under twenty people came."),
        "sum": ("It costs more than $10.", "It costs $10."),
        "no-more": ("Use no more than 4 drops.", "Use more than 4 drops."),
        "long": (
            "Keep the bread in the oven until it is brown, which takes more than 40 minutes, and then let it cool on a rack.",
            "Keep the bread in the oven until it is brown, which takes less than 40 minutes, and then let it cool on a rack.",
        ),
    },
    "unit by its capitals, power, fraction": {
        "watt": ("The laser emits 5 mW.", "The laser emits 5 MW."),
        "byte": ("The file has 300 Mb.", "The file has 300 MB."),
        "rate": ("It loads at 40 Mbps.", "It loads at 40 MBps."),
        "power": ("A cell is 10⁻⁶ metres wide.", "A cell is 10⁶ metres wide."),
        "two-digits": ("There are 10¹² of them.", "There are 10¹³ of them."),
        "mixed": ("Add 1½ cups of milk.", "Add 11/2 cups of milk."),
        "thousand": ("The town has 5 inhabitants.", "The town has 5k inhabitants."),
    },
}
# fmt: on

MISSED = frozenset(
    (  # equivalent, and called different
        "long paraphrase: vaccine",  # "remembers" for "keeps a memory of"
        "long paraphrase: tcp",  # "at the price of" for "which takes"
        "long paraphrase: branch",  # what one says in a sentence of its own is half of one in the other
        "long paraphrase: moon",  # "takes" for "needs"
    )
)
MUST_PASS = 0.9  # share of the equivalent pairs
THRESHOLD = DivergenceConfig(kind="gated").threshold


def by_name(table: dict[str, Pairs]) -> dict[str, tuple[str, str]]:
    return {f"{kind}: {name}": pair for kind, pairs in table.items() for name, pair in pairs.items()}


SAME, DIFFERENT = by_name(EQUIVALENT), by_name(DECISIVE)


@pytest.fixture(scope="module")
def meter(weights: Weights) -> Meter:
    return gated(Embedder(weights.embedder))


@pytest.mark.parametrize("name", DIFFERENT)
def test_no_decisive_difference_passes(meter: Meter, name: str) -> None:
    one, other = DIFFERENT[name]
    assert min(meter(one, other), meter(other, one)) >= THRESHOLD


@pytest.mark.parametrize("name", [name for name in SAME if name not in MISSED])
def test_other_words_pass(meter: Meter, name: str) -> None:
    one, other = SAME[name]
    assert max(meter(one, other), meter(other, one)) < THRESHOLD


@pytest.mark.parametrize("name", sorted(MISSED))
@pytest.mark.xfail(reason="known to be called different")
def test_other_words_that_do_not_pass_yet(meter: Meter, name: str) -> None:
    one, other = SAME[name]
    assert max(meter(one, other), meter(other, one)) < THRESHOLD


def test_most_equivalent_pairs_pass() -> None:
    assert SAME.keys() >= MISSED
    assert 1 - len(MISSED) / len(SAME) >= MUST_PASS
