// The page: joins a room, shows it, and keeps messages until the server has stored them.

import { Composer } from "./chat/composer.js";
import { Connection } from "./chat/connection.js";
import { Messages } from "./chat/messages.js";
import { People, Typing, asAvatar } from "./chat/people.js";
import { asRoom, nameProblem, remembered, roomProblem, tab } from "./chat/session.js";
import { Side } from "./chat/side.js";

const $ = (id) => document.getElementById(id);
const brand = document.body.dataset.title;
const people = new People();
const typing = new Typing();
const messages = new Messages();
const side = new Side();

/** How many messages may wait for the connection. Further ones stay in the composer. */
const mostUnsent = 50;
/** People who were here before the connection was lost, and come back within this time, are not announced. */
const returnTime = 60_000;

let connection = null;
let seat = null; // {room, name, token}
let inside = false;
let early = []; // messages received between the join and its welcome
let unsent = []; // {ref, text, problem}
let returning = new Set();
let unread = 0;

// ---------------------------------------------------------------- joining and leaving

const show = (element, text) => {
  element.textContent = text;
  element.hidden = !text;
};

const view = (name) => {
  document.documentElement.dataset.view = name;
  $("join").hidden = name === "chat";
  $("chat").hidden = name !== "chat";
};

const joinProblem = (text, field = "name") => {
  view("join");
  show($("join-error"), text);
  $("join-status").textContent = "";
  $("join-button").disabled = false;
  for (const one of ["name", "room"]) {
    if (text && one === field) $(`join-${one}`).ariaInvalid = "true";
    else $(`join-${one}`).removeAttribute("aria-invalid");
  }
  if (text) $(`join-${field === "room" ? "room" : "name"}`).focus();
};

const enter = (room, name) => {
  leaveConnection();
  seat = { room, name, token: tab.token(room, name) };
  unsent = tab.unsent(room).map(({ ref, text }) => ({ ref, text, problem: null }));
  messages.clear(name);
  people.set([], name);
  returning = new Set();
  connection = new Connection(room, { opened: sendJoin, message: receive, state: showConnection });
};

const sendJoin = () => {
  early = [];
  // `seen` is only set after a successful join.
  connection.send({ kind: "join", name: seat.name, token: seat.token, after: seat.seen });
};

const leaveConnection = () => {
  connection?.stop();
  connection = null;
  inside = false;
  typing.clear();
};

const leave = (problem = "", field = "name") => {
  leaveConnection();
  tab.seat = null;
  if (seat) {
    $("join-name").value = seat.name;
    $("join-room").value = seat.room;
    // Unsent messages go back to the composer.
    const texts = [...unsent.map(({ text }) => text), composer.text].filter((text) => text.trim());
    tab.keepDraft(seat.room, texts.join("\n"));
    tab.keepUnsent(seat.room, []);
  }
  composer.open(null);
  seat = null;
  unsent = [];
  document.title = brand;
  side.close();
  joinProblem(problem, field);
  if (!problem) $("join-name").focus();
};

$("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("join-name").value.trim().replace(/ +/g, " ");
  const room = asRoom($("join-room").value);
  $("join-room").value = room;
  if (nameProblem(name)) return joinProblem(nameProblem(name), "name");
  if (roomProblem(room)) return joinProblem(roomProblem(room), "room");
  joinProblem("");
  $("join-button").disabled = true;
  // After a rejected join, the socket is still open and accepts another one.
  if (connection?.isOpen && seat?.room === room) {
    seat.name = name;
    seat.token = tab.token(room, name);
    messages.clear(name);
    sendJoin();
  } else {
    enter(room, name);
  }
});

for (const id of ["join-name", "join-room"]) {
  $(id).addEventListener("input", () => {
    $(id).removeAttribute("aria-invalid");
    $("join-button").disabled = false;
  });
}

$("leave").addEventListener("click", () => leave());

// ---------------------------------------------------------------- messages from the server

const receive = (message) => {
  if (!inside && message.kind === "said") {
    early.push(message);
    return;
  }
  receivers[message.kind]?.(message);
};

const receivers = {
  welcome(welcome) {
    const first = seat.seen === undefined;
    inside = true;
    seat = { room: welcome.room, name: welcome.name, token: welcome.token, seen: seat.seen ?? 0 };
    connection.settled();
    showConnection("connected");
    remembered.name = seat.name;
    remembered.visited(seat.room);
    tab.seat = { room: seat.room, name: seat.name };
    tab.keepToken(seat.room, seat.name, seat.token);
    if (first || welcome.history === "recent") {
      messages.clear(seat.name);
      $("join-button").disabled = false;
    }
    if (!first) returnersFrom(people.names, welcome.here);
    people.set(welcome.here, seat.name);
    messages.load(welcome.messages, { gap: welcome.history === "gap" });
    for (const message of welcome.messages) settle(message);
    for (const message of early.splice(0)) said(message);
    seat.seen = messages.last;
    if (first) showRoom();
    for (const one of unsent) {
      showUnsent(one);
      if (one.problem === null) sendUnsent(one);
    }
  },
  said(message) {
    said(message);
    seat.seen = messages.last;
  },
  joined({ name }) {
    if (!people.has(name) && !returning.delete(name)) messages.notice(`${name} joined`);
    people.add(name);
  },
  left({ name }) {
    people.remove(name);
    typing.remove(name);
    messages.notice(`${name} left`);
  },
  typing({ name }) { typing.add(name); },
  error(error) {
    const one = error.ref && unsent.find(({ ref }) => ref === error.ref);
    if (one && error.code === "too_fast") {
      setTimeout(() => sendUnsent(one), 1_000);
    } else if (one) {
      one.problem = error.text;
      showUnsent(one);
      keepUnsent();
    } else if (error.code === "too_fast" && !inside) {
      // After a restart of the server, many clients of one address reconnect at once.
      const waiting = connection;
      setTimeout(() => { if (connection === waiting && connection?.isOpen && !inside) sendJoin(); }, 1_000);
    } else if (error.code === "replaced") {
      leave(`You went on as “${seat.name}” in another tab, so this one has left the room.`);
    } else if (!inside && seat.seen === undefined) {
      joinProblem(error.text, error.field);
    } else if (!inside) {
      leave(error.text, error.field);
    } else {
      composer.complain(error.text);
    }
  },
};

const returnersFrom = (before, now) => {
  returning = new Set(before.filter((name) => !now.includes(name)));
  const these = returning;
  setTimeout(() => { if (returning === these) returning = new Set(); }, returnTime);
};

const said = (message) => {
  settle(message);
  typing.remove(message.name);
  const own = message.name.toLowerCase() === seat.name.toLowerCase();
  if (messages.add(message) && !own && document.hidden) {
    unread += 1;
    showTitle();
  }
};

const showTitle = () => {
  document.title = seat ? `${unread ? `(${unread}) ` : ""}#${seat.room} · ${brand}` : brand;
};

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
});

const showRoom = () => {
  view("chat");
  $("room-title").textContent = seat.room;
  $("me").textContent = seat.name;
  asAvatar($("me-avatar"), seat.name);
  if (location.hash !== `#${seat.room}`) history.pushState(null, "", `#${seat.room}`);
  unread = 0;
  showTitle();
  side.showRooms(seat.room);
  side.close();
  composer.open(seat.room);
  messages.toBottom();
  composer.focus();
};

// ---------------------------------------------------------------- the state of the connection

let countdown = 0;

const showConnection = (state, until) => {
  if (state !== "connected") inside = false;
  clearInterval(countdown);
  const entering = seat.seen === undefined;
  const words = {
    connecting: entering ? "Connecting" : "Reconnecting",
    connected: inside ? "Connected" : "Joining",
    waiting: entering ? "The server cannot be reached" : "Connection lost",
    offline: "You are offline",
  };
  const joining = { ...words, waiting: "The server cannot be reached, trying again" };
  $("connection").dataset.state = state === "connected" && !inside ? "connecting" : state;
  $("connection").dataset.extensions = connection?.extensions ?? "";
  $("connection").title = connection?.extensions ? `WebSocket with ${connection.extensions}` : "";
  if ($("status").textContent !== words[state]) $("status").textContent = words[state];
  $("join-status").textContent = entering && $("join-button").disabled ? `${joining[state]} …` : "";
  $("retry-now").hidden = state !== "waiting" && state !== "offline";
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    $("countdown").textContent = state === "waiting" ? `next try in ${seconds} s` : "";
  };
  tick();
  if (state === "waiting") countdown = setInterval(tick, 250);
  if (state !== "connected") {
    typing.clear();
    for (const one of unsent) if (one.problem === null && !entering) showUnsent(one);
  }
};

$("retry-now").addEventListener("click", () => {
  connection?.retryNow();
  composer.focus();
});

// ---------------------------------------------------------------- writing

const keepUnsent = () => tab.keepUnsent(seat.room, unsent.map(({ ref, text }) => ({ ref, text })));

const newRef = () =>
  crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16)).join("-");

/** The server has stored the message, so it need not be kept. */
const settle = ({ ref }) => {
  if (!ref || !unsent.some((one) => one.ref === ref)) return;
  unsent = unsent.filter((one) => one.ref !== ref);
  keepUnsent();
};

const showUnsent = (one) => messages.showUnsent(one, one.problem, {
  underWay: inside ? "sending" : "waiting for the connection",
  retry: () => {
    one.problem = null;
    showUnsent(one);
    sendUnsent(one);
  },
  edit: () => {
    unsent = unsent.filter((other) => other !== one);
    keepUnsent();
    messages.removeUnsent(one.ref);
    composer.prepend(one.text);
  },
});

/** Without a connection, the message waits for the next welcome. */
const sendUnsent = ({ ref, text }) => {
  if (inside && unsent.some((one) => one.ref === ref)) connection.send({ kind: "say", text, ref });
};

const say = (text) => {
  if (unsent.length >= mostUnsent) return `${mostUnsent} messages wait for the connection already.`;
  const one = { ref: newRef(), text, problem: null };
  unsent.push(one);
  keepUnsent();
  showUnsent(one);
  sendUnsent(one);
  return null;
};

const composer = new Composer({
  say,
  typing: () => { if (inside) connection.send({ kind: "typing" }); },
});

// ---------------------------------------------------------------- the keys, the rooms

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.documentElement.dataset.view !== "chat") return;
  if (side.close()) return $("side-open").focus();
  composer.complain("");
  messages.toBottom();
  composer.focus();
});

const go = (room) => {
  if (!seat || room === seat.room) return side.close();
  const { name } = seat;
  keepUnsent();
  enter(room, name);
};

window.addEventListener("hashchange", () => {
  const room = asRoom(safelyDecoded(location.hash));
  if (!roomProblem(room)) seat && document.documentElement.dataset.view === "chat" ? go(room) : ($("join-room").value = room);
});

// ---------------------------------------------------------------- the start

const wanted = asRoom(safelyDecoded(location.hash) || new URLSearchParams(location.search).get("room") || "");
const past = tab.seat;
$("join-name").value = past?.name ?? remembered.name;
$("join-room").value = roomProblem(wanted) ? past?.room ?? remembered.rooms[0] ?? "lobby" : wanted;

function safelyDecoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

if (past && (roomProblem(wanted) || wanted === past.room)) {
  // After a reload, rejoin without showing the form, unless it takes long.
  view("entering");
  setTimeout(() => { if (document.documentElement.dataset.view === "entering") view("join"); }, 1_000);
  $("join-button").disabled = true;
  enter(past.room, past.name);
} else {
  $($("join-name").value ? "join-button" : "join-name").focus();
}
