// The side panel: the visited rooms, the form for another room, and opening and closing on a phone.

import { asRoom, remembered, roomProblem } from "./session.js";

const $ = (id) => document.getElementById(id);

export class Side {
  constructor() {
    $("side-open").addEventListener("click", () => this.open());
    for (const id of ["side-close", "scrim"]) {
      $(id).addEventListener("click", () => {
        this.close();
        $("side-open").focus();
      });
    }
    $("room-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const room = asRoom($("room-input").value);
      const problem = roomProblem(room);
      $("room-error").textContent = problem ?? "";
      $("room-error").hidden = problem === null;
      if (problem) return;
      $("room-input").value = "";
      location.hash = room;
    });
    $("room-input").addEventListener("input", () => { $("room-error").hidden = true; });
  }

  open() {
    document.documentElement.dataset.side = "open";
    $("side-open").ariaExpanded = "true";
    $("scrim").hidden = false;
    $("side-close").focus();
  }

  /** Returns false if it was closed. */
  close() {
    const wasOpen = document.documentElement.dataset.side === "open";
    delete document.documentElement.dataset.side;
    $("side-open").ariaExpanded = "false";
    $("scrim").hidden = true;
    return wasOpen;
  }

  showRooms(current) {
    const items = remembered.rooms.sort().map((room) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `#${room}`;
      link.textContent = room;
      if (room === current) link.setAttribute("aria-current", "page");
      item.append(link);
      return item;
    });
    $("rooms").replaceChildren(...items);
  }
}
