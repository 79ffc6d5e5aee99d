// The message editor: grows with the text, shows the size near the limit, and saves the draft.

import { byteCount, tab, textLimit } from "./session.js";

/** How often typing notices are sent. */
const typingEvery = 2_000;
/** The size is shown from this fraction of the limit. */
const nearLimit = 0.85;

export class Composer {
  #text = document.getElementById("message-text");
  #problem = document.getElementById("composer-error");
  #counter = document.getElementById("counter");
  #on;
  #room = null;
  #toldTyping = 0;

  /** @param on `say(text)`, which returns the problem or null, and `typing()`. */
  constructor(on) {
    this.#on = on;
    this.#text.addEventListener("input", () => {
      this.#changed();
      if (this.#text.value.trim() && Date.now() - this.#toldTyping > typingEvery) {
        this.#toldTyping = Date.now();
        this.#on.typing();
      }
    });
    this.#text.addEventListener("keydown", (event) => {
      // In some browsers, 229 is the key that ends a composition, after isComposing is already false.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#say();
    });
    document.getElementById("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say();
      this.focus();
    });
  }

  get text() { return this.#text.value; }

  focus() { this.#text.focus(); }

  /** Shows the draft of a room and saves its changes. null stops saving. */
  open(room) {
    this.#room = room;
    this.#text.value = room ? tab.draft(room) : "";
    this.#changed();
  }

  /** Inserts a text before the current one. */
  prepend(text) {
    this.#text.value = [text, this.#text.value].filter((part) => part !== "").join("\n");
    this.#changed();
    this.focus();
  }

  /** Shows a problem, or hides it if the text is empty. */
  complain(text) {
    this.#problem.textContent = text;
    this.#problem.hidden = !text;
  }

  #say() {
    const text = this.#text.value.replace(/\r\n?/g, "\n").replace(/\s+$/, "");
    const problem = this.#problemOf(text) ?? this.#on.say(text);
    if (problem) return this.complain(problem);
    this.#text.value = "";
    this.#toldTyping = 0;
    this.#changed();
  }

  #problemOf(text) {
    if (!text.trim()) return "Write something first.";
    const length = byteCount(text);
    if (length <= textLimit) return null;
    const most = textLimit.toLocaleString();
    return `The message is too long: it has ${length.toLocaleString()} bytes; at most ${most} are allowed.`;
  }

  #changed() {
    this.complain("");
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
    const length = byteCount(this.#text.value);
    this.#counter.hidden = length < textLimit * nearLimit;
    this.#counter.textContent = `${length.toLocaleString()} / ${textLimit.toLocaleString()}`;
    this.#counter.toggleAttribute("data-over", length > textLimit);
    if (length > textLimit) this.#text.ariaInvalid = "true";
    else this.#text.removeAttribute("aria-invalid");
    if (this.#room) tab.keepDraft(this.#room, this.#text.value);
  }
}
