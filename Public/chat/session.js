// What is remembered: for good (the name, the rooms visited) and for this tab (who one is, what is unsent).
// Storage may be forbidden or full: then nothing is remembered and everything else works.

const read = (storage, key, otherwise) => {
  try {
    const value = JSON.parse(storage().getItem(`chat.${key}`));
    return value === null || typeof value !== typeof otherwise ? otherwise : value;
  } catch {
    return otherwise;
  }
};

const write = (storage, key, value) => {
  try {
    if (value === undefined) storage().removeItem(`chat.${key}`);
    else storage().setItem(`chat.${key}`, JSON.stringify(value));
  } catch {
    // See above.
  }
};

const forGood = () => window.localStorage;
const forThisTab = () => window.sessionStorage;

export const remembered = {
  get name() { return read(forGood, "name", ""); },
  set name(name) { write(forGood, "name", name); },
  get rooms() {
    const rooms = read(forGood, "rooms", []);
    return Array.isArray(rooms) ? rooms.filter((room) => roomProblem(room) === null) : [];
  },
  visited(room) {
    write(forGood, "rooms", [room, ...this.rooms.filter((other) => other !== room)].slice(0, 6));
  },
};

export const tab = {
  /** {room, name} while inside a room: a reload goes back in. */
  get seat() {
    const seat = read(forThisTab, "seat", {});
    return seat.room && seat.name ? seat : null;
  },
  set seat(seat) { write(forThisTab, "seat", seat ?? undefined); },
  /** What proves to the server that this tab was the one of that name. */
  token(room, name) {
    const kept = read(forThisTab, `token.${room}`, {});
    return kept.name === name ? kept.token : undefined;
  },
  keepToken: (room, name, token) => write(forThisTab, `token.${room}`, { name, token }),
  draft: (room) => read(forThisTab, `draft.${room}`, ""),
  keepDraft: (room, text) => write(forThisTab, `draft.${room}`, text || undefined),
  unsent: (room) => {
    const unsent = read(forThisTab, `unsent.${room}`, []);
    return Array.isArray(unsent) ? unsent.filter((one) => one && one.ref && typeof one.text === "string") : [];
  },
  keepUnsent: (room, unsent) => write(forThisTab, `unsent.${room}`, unsent.length ? unsent : undefined),
};

const limits = document.body.dataset;
export const textLimit = Number(limits.textLimit) || 4096;
const nameLimit = Number(limits.nameLimit) || 32;
const roomLimit = Number(limits.roomLimit) || 32;

const encoder = new TextEncoder();
export const byteCount = (text) => encoder.encode(text).length;

/** What a person most likely meant as a room's name. */
export const asRoom = (typed) => String(typed).trim().replace(/^#/, "").toLowerCase().replace(/\s+/g, "-");

/** Why it cannot be a room, or null. The server judges again. */
export const roomProblem = (room) => {
  if (typeof room !== "string" || room === "") return "Choose a room.";
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(room)) {
    return "A room’s name is made of the letters a to z, digits, “-” and “_”, and begins with a letter or digit.";
  }
  return room.length > roomLimit ? `A room’s name has at most ${roomLimit} characters.` : null;
};

/** Why it cannot be a name, or null. The server judges again, by more rules. */
export const nameProblem = (name) => {
  const length = [...name].length;
  if (length === 0) return "Enter a name first.";
  return length > nameLimit ? `The name has ${length} characters; at most ${nameLimit} are allowed.` : null;
};
