// The people in the room, and who is typing.

/** The same hue for the same name on every page. Similar names get very different hues. */
export const hue = (name) => {
  let hash = 0x811c9dc5;
  for (const character of name.toLowerCase()) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (((hash ^ (hash >>> 12)) >>> 0) % 24) * 15;
};

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter() : null;

/** Turns an element into the round avatar of a person. */
export const asAvatar = (element, name) => {
  const first = segmenter ? [...segmenter.segment(name)][0]?.segment : [...name][0];
  element.textContent = (first ?? "?").toUpperCase();
  element.style.setProperty("--hue", hue(name));
};

const same = (one, other) => one.toLowerCase() === other.toLowerCase();

export class People {
  #list = document.getElementById("people");
  #counts = [document.getElementById("people-count"), document.getElementById("people-count-small")];
  #names = [];
  #me = "";

  get names() { return this.#names; }

  has(name) { return this.#names.some((other) => same(other, name)); }

  set(names, me) {
    this.#names = [...names];
    this.#me = me;
    this.#show();
  }

  add(name) {
    if (this.has(name)) return;
    this.#names.push(name);
    this.#show();
  }

  remove(name) {
    this.#names = this.#names.filter((other) => !same(other, name));
    this.#show();
  }

  #show() {
    const mineFirst = [...this.#names].sort((one, other) => same(other, this.#me) - same(one, this.#me));
    this.#list.replaceChildren(...mineFirst.map((name) => this.#item(name)));
    for (const count of this.#counts) count.textContent = String(this.#names.length);
  }

  #item(name) {
    const item = document.createElement("li");
    item.dataset.name = name;
    const avatar = document.createElement("span");
    avatar.className = "avatar";
    avatar.ariaHidden = "true";
    asAvatar(avatar, name);
    const label = document.createElement("bdi");
    label.textContent = name;
    item.append(avatar, label);
    if (same(name, this.#me)) {
      const you = document.createElement("span");
      you.className = "you";
      you.textContent = "you";
      item.append(you);
    }
    return item;
  }
}

/** “is typing” is shown for this time. The sender repeats the notice sooner while the person is typing. */
const typingLasts = 4_500;

export class Typing {
  #line = document.getElementById("typing");
  #timers = new Map();

  add(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(() => this.remove(name), typingLasts));
    this.#show();
  }

  remove(name) {
    clearTimeout(this.#timers.get(name));
    if (this.#timers.delete(name)) this.#show();
  }

  clear() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#show();
  }

  #show() {
    const names = [...this.#timers.keys()];
    this.#line.toggleAttribute("data-busy", names.length > 0);
    this.#line.textContent =
      names.length === 0 ? ""
      : names.length === 1 ? `${names[0]} is typing`
      : names.length === 2 ? `${names[0]} and ${names[1]} are typing`
      : "Several people are typing";
  }
}
