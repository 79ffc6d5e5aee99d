// The socket of a room. It reconnects until it is stopped.

const firstDelay = 500;
const longestDelay = 30_000;
/** After this time without a message from the server, a ping is sent … */
const quiet = 20_000;
/** … and the server has this time to reply. */
const patience = 6_000;
/** A socket that does not open in this time is closed. */
const openTimeout = 10_000;

export class Connection {
  #address;
  #on;
  #socket = null;
  #timer = 0;
  #watch = 0;
  #attempt = 0;
  #stopped = false;
  #heard = 0;
  #state = "connecting";

  /**
   * @param room the room's name.
   * @param on `opened()`, `message(object)`, `state(name, detail)`. The states: `connecting`, `connected`,
   *   `waiting` (detail: when the next attempt comes, as Date.now() counts), `offline`.
   */
  constructor(room, on) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#address = `${scheme}//${location.host}/rooms/${encodeURIComponent(room)}`;
    this.#on = on;
    window.addEventListener("online", this.#woken);
    window.addEventListener("offline", this.#woken);
    document.addEventListener("visibilitychange", this.#woken);
    this.#connect();
  }

  get isOpen() { return this.#socket?.readyState === WebSocket.OPEN; }
  get extensions() { return this.#socket?.extensions ?? ""; }

  /** Returns false if there is no connection. */
  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** The server has accepted the join, so the next reconnect starts with a short delay again. */
  settled() { this.#attempt = 0; }

  retryNow() {
    if (this.#stopped || this.#socket) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    window.removeEventListener("online", this.#woken);
    window.removeEventListener("offline", this.#woken);
    document.removeEventListener("visibilitychange", this.#woken);
    this.#drop(1000);
  }

  #tell(state, detail) {
    this.#state = state;
    this.#on.state(state, detail);
  }

  #connect() {
    this.#tell("connecting");
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket), openTimeout);
    socket.onopen = () => {
      clearTimeout(this.#timer);
      this.#heard = Date.now();
      this.#watch = setInterval(() => this.#look(), 2_000);
      this.#tell("connected");
      this.#on.opened();
    };
    socket.onmessage = (event) => {
      this.#heard = Date.now();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        return;
      }
      this.#on.message(message);
    };
    socket.onclose = () => this.#lost(socket);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#drop();
    if (this.#stopped) return;
    if (navigator.onLine === false) {
      this.#waitOffline();
      return;
    }
    // Half of the delay is random, so that not all clients reconnect to a restarted server at once.
    const delay = Math.min(longestDelay, firstDelay * 2 ** this.#attempt) * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    this.#tell("waiting", Date.now() + delay);
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  /** The browser reports when the network is back. This may be wrong (a local server needs no network). */
  #waitOffline() {
    this.#tell("offline");
    this.#timer = setTimeout(() => this.#connect(), longestDelay);
  }

  /** Drops the socket without waiting for its close, because a dead network never replies to it. */
  #drop(code) {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      code ? socket.close(code) : socket.close();
    } catch {
      // Already closed.
    }
  }

  #asked = 0;

  #look(impatient = false) {
    const now = Date.now();
    if (this.#asked > this.#heard) {
      if (now - this.#asked > patience) this.#lost(this.#socket);
    } else if (impatient || now - this.#heard > quiet) {
      // Later than the last received message, even within the same millisecond.
      this.#asked = Math.max(now, this.#heard + 1);
      this.send({ kind: "ping" });
    }
  }

  /** The network or the user came back (or left), so do not wait for a long delay. */
  #woken = (event) => {
    if (this.#stopped) return;
    if (event.type === "offline") {
      if (!this.#socket) {
        clearTimeout(this.#timer);
        this.#waitOffline();
      }
      return;
    }
    if (document.visibilityState === "hidden") return;
    if (this.#socket) {
      if (this.isOpen) this.#look(true);
    } else if (event.type === "online" || this.#state === "waiting") {
      this.#attempt = 0;
      this.retryNow();
    }
  };
}
