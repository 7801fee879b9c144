"""Answers that hold a command that destroys, and answers that only speak of one. No test runs any of them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah_mlx.text.destructive import destroys

DESTROYING = [
    "rm -rf build",
    "rm notes.txt",
    "sudo rm -r /var/cache/app",
    "/bin/rm old.log",
    "\\rm x.txt",
    "rmdir empty",
    "shred -u key.pem",
    "dd if=image.iso of=/dev/sdb bs=4M",
    "mkfs.ext4 /dev/sdb1",
    "truncate -s 0 app.log",
    "sort a.txt > b.txt",
    "echo hello >notes.txt",
    "find . -type f > files",
    "cat a b 2> errors.txt",
    "make &> build.log",
    "> app.log",
    "(cat a; cat b) > all.txt",
    "echo x >| locked.txt",
    "find . -name '*.tmp' -delete",
    "find . \\( -name a -o -name b \\) -exec touch {} \\; -delete",
    "find /tmp -name core -exec rm {} \\;",
    "find /tmp -name core -print0 | xargs -0 rm -f",
    "find . -type d -empty -exec rmdir {} +",
    "ls | xargs -n 1 rm",
    "ls | xargs -I {} rm {}",
    "find . -exec sh -c 'rm \"$1\"' sh {} \\;",
    'sudo bash -c "cat > /etc/motd"',
    "ssh host 'rm -rf /srv/old'",
    "mv -f a b",
    "cp -rf src dst",
    "sed -i 's/a/b/' file",
    "sed -Ei.bak 's/a/b/' file",
    "perl -pi -e 's/a/b/' *.txt",
    "ls | tee list.txt",
    "echo 1 | sudo tee /proc/sys/vm/drop_caches",
    "git push --force origin main",
    "git push -f",
    "git push --force-with-lease",
    "git push origin +main",
    "git reset --hard HEAD~1",
    "git -C repo reset --hard",
    "git clean -fdx",
    "git checkout -- .",
    "git branch -D topic",
    "kill -9 4242",
    "kill -KILL 4242",
    "pkill firefox",
    "killall Finder",
    "sudo chmod -R 777 /",
    "chown -R me /usr",
    "DROP TABLE users;",
    "drop database shop",
    "TRUNCATE orders;",
    "DELETE FROM users;",
    'psql -c "DELETE FROM users"',
    "kubectl delete pod web-0",
    "docker system prune -a",
    "docker rm -f web",
    "terraform destroy",
    ":(){ :|:& };:",
    "shutdown -h now",
    "sudo reboot",
    "diskutil eraseDisk APFS Mac disk2",
    "launchctl remove com.example.agent",
    "crontab -r",
    "echo '* * * * * date' | crontab",
    "history -c",
    "userdel bob",
    "format C:",
    'for f in *.bak; do rm "$f"; done',
    "cd build && rm -f *.o",
    "You can free the space with `rm -rf build`.",
    "Do this:\n\n```bash\ncd build\nrm -rf *\n```\nand build again.",
    "Do this:\n```\n$ git reset --hard origin/main\n```",
    "```sql\nDELETE FROM users;\n```",
    "First:\n\n    $ rm -rf build\n\nThen build again.",
    "1. cd build\n2. rm -rf out",
    "Just run git reset --hard HEAD to drop the changes.",
    "docker run \\\n  --rm alpine; rm -rf \\\n  build",
]

HARMLESS = [
    "The rm command removes files.",
    "rm removes files",
    "rm is a command that deletes files; use it with care.",
    "`rm` removes files and `rmdir` removes folders.",
    "Use mv to rename files and rm to remove them.",
    "ls -la",
    "find . -name '*.py'",
    "find . -type f -name 'rm'",
    "grep -r 'rm -rf' .",
    'echo "rm -rf /"',
    "git commit -m 'rm old files'",
    "cat a.txt >> b.txt",
    "make 2>&1 | less",
    "find / -name x 2>/dev/null",
    "ls > /dev/null 2>&1",
    "echo oops >&2",
    "diff <(ls a) <(ls b)",
    "awk '$3 > 80' data.txt",
    "awk 'NR>5' data.txt",
    "ls | tee -a list.txt",
    "ls | tee",
    "mv a b",
    "cp -r src dst",
    "sed 's/a/b/' file",
    "sed -n '1,5p' file",
    "perl -ne 'print if /i/' file",
    "git push -u origin main --follow-tags",
    "git push origin feature-f",
    "git reset --soft HEAD~1",
    "git clean -n",
    "git checkout -b topic",
    "git branch -d topic",
    "git rebase main",
    "git restore --staged a.txt",
    "git rm --cached a.txt",
    "kill 4242",
    "kill -HUP 4242",
    "chmod -R u+w build",
    "chown -R www-data:www-data /var/www",
    "SELECT * FROM users WHERE age > 30;",
    "DELETE FROM users WHERE id = 3;",
    "```sql\nDELETE FROM users\nWHERE id = 3;\n```",
    "DROP TABLE removes a table and its rows.",
    "kubectl get pods",
    "docker run --rm alpine",
    "docker ps -a",
    "terraform plan",
    "crontab -l",
    "crontab -e",
    "history | tail",
    "dd if=/dev/zero of=/dev/null count=1",
    "Open System Settings > General > About.",
    "Choose `File > Export`.",
    "It holds when `x > 0` and `price > cost`.",
    "> A quotation,\n> on two lines.",
    "```python\nif a > b:\n    print(a)\n```",
    "```html\n<p>text</p>\n<b>more</b> text\n```",
    "```js\nconst f = (x) => x > limit.max\n```",
    "[[ $a > $b ]] && echo yes",
    "ssh -i key.pem <user>@<host> uptime",
    "Format the report as a table.",
    "The terrorists killed nine people in 1972.",
    "# rm -rf build would remove everything\nls build",
    "Paris",
    "391",
    "-> that is an arrow => so is this",
]


@pytest.mark.parametrize("answer", DESTROYING)
def test_a_command_that_destroys_is_seen(answer: str) -> None:
    assert destroys(answer)


@pytest.mark.parametrize("answer", HARMLESS)
def test_a_harmless_answer_is_let_through(answer: str) -> None:
    assert not destroys(answer)


@given(st.text() | st.text("rm -f>|;&`'\"$({})\n#x/."))
def test_the_rule_takes_any_text(answer: str) -> None:
    assert isinstance(destroys(answer), bool)


PIECES = [
    "rm",
    "sudo ",
    "xargs -0 ",
    "'",
    '"',
    "`",
    "```\n",
    "> ",
    "a=b ",
    "find \\;",
    "{",
    "delete from ",
    "<a",
    "- ",
    "sh 'a' ",
]


@pytest.mark.parametrize("piece", PIECES)
def test_the_rule_takes_no_long_time_over_any_answer(piece: str) -> None:
    started = time.perf_counter()
    destroys(piece * (20_000 // len(piece)))
    assert time.perf_counter() - started < 2
