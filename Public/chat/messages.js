// The list of messages: ordered by id, without duplicates, with the days in between and unsent messages at the end.
// Text from people is inserted into the page as text nodes only.

import { asAvatar } from "./people.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayOf = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayAndYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

/** Messages of one person within this time, in milliseconds, are one group. */
const together = 5 * 60_000;
/** The page shows this many messages. The oldest are removed first. */
const mostShown = 2_000;
const bottomSlack = 48;

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

const sameDay = (one, other) => new Date(one).toDateString() === new Date(other).toDateString();

const dayName = (time) => {
  const now = new Date();
  if (sameDay(time, now)) return "Today";
  if (sameDay(time, new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1))) return "Yesterday";
  return (new Date(time).getFullYear() === now.getFullYear() ? dayOf : dayAndYear).format(time);
};

/** Text with web addresses as links. Everything else stays text. */
const fill = (element, text) => {
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]}]/g)) {
    element.append(text.slice(end, match.index));
    const link = make("a", "", match[0]);
    link.href = match[0];
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    element.append(link);
    end = match.index + match[0].length;
  }
  element.append(text.slice(end));
};

export class Messages {
  #log = document.getElementById("log");
  #more = document.getElementById("new-messages");
  #items = [];
  #unsent = new Map();
  #atBottom = true;
  #height = 0;
  #below = 0;
  #me = "";

  constructor() {
    this.#log.addEventListener("scroll", () => {
      // A scroll event between a change of size and the observer below does not come from the user.
      if (this.#log.clientHeight !== this.#height) return;
      this.#atBottom = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < bottomSlack;
      if (this.#atBottom) this.#countBelow(0);
    }, { passive: true });
    this.#more.addEventListener("click", () => {
      this.toBottom();
      document.getElementById("message-text").focus();
    });
    // If a keyboard opens or the composer grows, a list at its bottom stays there.
    new ResizeObserver(() => {
      this.#height = this.#log.clientHeight;
      if (this.#atBottom) this.toBottom();
    }).observe(this.#log);
  }

  /** The highest id shown. */
  get last() { return this.#items.at(-1)?.id ?? 0; }
  get isEmpty() { return this.#items.length === 0; }

  clear(me) {
    this.#me = me.toLowerCase();
    this.#items = [];
    this.#unsent.clear();
    this.#log.replaceChildren();
    this.#countBelow(0);
    this.#atBottom = true;
  }

  /** Adds many messages at once, as after joining. Screen readers do not read them one by one. */
  load(messages, { gap = false } = {}) {
    this.#log.setAttribute("aria-busy", "true");
    if (gap && !this.isEmpty) this.notice("Some older messages are left out here", "gap");
    for (const message of messages) this.add(message);
    requestAnimationFrame(() => this.#log.removeAttribute("aria-busy"));
    if (this.#atBottom) this.toBottom();
  }

  /** Returns false if the message is already shown. */
  add(message) {
    let index = this.#items.length;
    while (index > 0 && this.#items[index - 1].id > message.id) index -= 1;
    if (index > 0 && this.#items[index - 1].id === message.id) return false;
    const element = this.#element(message);
    const item = { id: message.id, name: message.name, time: message.time, element, day: null };
    const next = this.#items[index];
    const unsent = message.ref ? this.#unsent.get(message.ref) : undefined;
    if (next) this.#log.insertBefore(element, next.day ?? next.element);
    else this.#log.insertBefore(element, this.#firstUnsent());
    if (unsent) this.removeUnsent(message.ref);
    this.#items.splice(index, 0, item);
    this.#dress(index);
    this.#dress(index + 1);
    this.#trim();
    this.#grown(unsent !== undefined);
    return true;
  }

  #element({ id, name, text, time }) {
    const own = name.toLowerCase() === this.#me;
    const element = make("article", "message");
    element.dataset.message = "";
    element.dataset.id = id;
    element.dataset.name = name;
    element.toggleAttribute("data-own", own);
    const avatar = make("span", "avatar");
    avatar.ariaHidden = "true";
    asAvatar(avatar, name);
    const meta = make("div", "meta");
    const who = make("bdi", "who", own ? "You" : name);
    who.style.setProperty("--hue", avatar.style.getPropertyValue("--hue"));
    const when = make("time", "", clock.format(time));
    when.dateTime = new Date(time).toISOString();
    when.title = whole.format(time);
    meta.append(who, " ", when);
    const bubble = make("div", "bubble");
    bubble.dir = "auto";
    bubble.title = when.title;
    fill(bubble, text);
    element.append(avatar, meta, bubble);
    return element;
  }

  /** Groups a message with the previous one, and inserts the name of the day if it is the first of the day. */
  #dress(index) {
    const item = this.#items[index];
    if (!item) return;
    const before = this.#items[index - 1];
    const newDay = !before || !sameDay(before.time, item.time);
    if (newDay && !item.day) {
      item.day = make("div", "day");
      const time = make("time", "", dayName(item.time));
      time.dateTime = new Date(item.time).toISOString().slice(0, 10);
      item.day.append(time);
      this.#log.insertBefore(item.day, item.element);
    } else if (!newDay && item.day) {
      item.day.remove();
      item.day = null;
    }
    const grouped = !newDay && before.name === item.name && item.time - before.time < together
      && item.element.previousElementSibling === before.element;
    item.element.classList.toggle("grouped", grouped);
  }

  #trim() {
    while (this.#items.length > mostShown) {
      const [oldest] = this.#items.splice(0, 1);
      oldest.day?.remove();
      oldest.element.remove();
      this.#dress(0);
    }
  }

  /** A notice between the messages. Consecutive joins and leaves share one. */
  notice(text, kind = "presence") {
    const last = this.#unsent.size ? this.#firstUnsent()?.previousElementSibling : this.#log.lastElementChild;
    if (kind === "presence" && last?.dataset.notice === kind && last.childElementCount < 4) {
      last.append(make("span", "", text));
    } else {
      const line = make("p", "notice");
      line.dataset.notice = kind;
      line.append(make("span", "", text));
      this.#log.insertBefore(line, this.#firstUnsent());
    }
    if (this.#atBottom) this.toBottom();
  }

  #firstUnsent() {
    return this.#unsent.values().next().value?.element ?? null;
  }

  /** Shows a message that is not stored yet. `problem` is null while it is being sent. */
  showUnsent({ ref, text }, problem, { underWay, retry, edit }) {
    const isNew = !this.#unsent.has(ref);
    let unsent = this.#unsent.get(ref);
    if (!unsent) {
      const element = make("article", "message unsent");
      element.dataset.unsent = ref;
      element.dataset.own = "";
      const bubble = make("div", "bubble");
      bubble.dir = "auto";
      fill(bubble, text);
      const state = make("div", "state");
      element.append(bubble, state);
      unsent = { element, state };
      this.#log.append(element);
      this.#unsent.set(ref, unsent);
    }
    unsent.element.dataset.state = problem === null ? "sending" : "failed";
    unsent.state.replaceChildren(make("span", "", problem ?? underWay));
    if (problem !== null) {
      const button = (label, action) => {
        const element = make("button", "", label);
        element.type = "button";
        element.addEventListener("click", action);
        return element;
      };
      unsent.state.append(button("Try again", retry), button("Edit", edit));
    }
    if (isNew || this.#atBottom) this.toBottom();
  }

  removeUnsent(ref) {
    this.#unsent.get(ref)?.element.remove();
    this.#unsent.delete(ref);
  }

  #grown(own) {
    if (own || this.#atBottom) this.toBottom();
    else this.#countBelow(this.#below + 1);
  }

  #countBelow(count) {
    this.#below = count;
    this.#more.hidden = count === 0;
    this.#more.textContent = count === 1 ? "1 new message" : `${count} new messages`;
  }

  toBottom() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#atBottom = true;
    this.#countBelow(0);
  }
}
