// Stored data: permanently (the name, the visited rooms) and for this tab (the room and token, unsent messages).
// If storage is forbidden or full, nothing is stored, and everything else works.

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
  /** {room, name} while in a room, so that a reload rejoins it. */
  get seat() {
    const seat = read(forThisTab, "seat", {});
    return seat.room && seat.name ? seat : null;
  },
  set seat(seat) { write(forThisTab, "seat", seat ?? undefined); },
  /** The token that proves to the server that this tab had that name. */
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

/** The room's name that the user most likely meant. */
export const asRoom = (typed) => String(typed).trim().replace(/^#/, "").toLowerCase().replace(/\s+/g, "-");

/** Why the room's name is invalid, or null. The server checks it again. */
export const roomProblem = (room) => {
  if (typeof room !== "string" || room === "") return "Choose a room.";
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(room)) {
    return "A room’s name is made of the letters a to z, digits, “-” and “_”, and begins with a letter or digit.";
  }
  return room.length > roomLimit ? `A room’s name has at most ${roomLimit} characters.` : null;
};

/** Why the name is invalid, or null. The server checks it again, with more rules. */
export const nameProblem = (name) => {
  const length = [...name].length;
  if (length === 0) return "Enter a name first.";
  return length > nameLimit ? `The name has ${length} characters; at most ${nameLimit} are allowed.` : null;
};
