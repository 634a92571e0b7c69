// SPDX-License-Identifier: Apache-2.0

// Brings what was found up to date every three seconds. Only that: a page that
// loads itself anew forgets what is being typed.
"use strict";

async function update() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById("found");
      if (answer.ok && found) {
        document.getElementById("found").replaceWith(found);
      }
    } catch {
      // The process has stopped, or starts anew; the next time may do.
    }
  }
  setTimeout(update, 3000);
}

setTimeout(update, 3000);
