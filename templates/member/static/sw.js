// Shows what channels/webpush/payload.py sends, and opens the ask's page.
"use strict";

self.addEventListener("push", (event) => {
  event.waitUntil(notify(read(event.data)));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const page = destination(event.notification.data || {}, event.action);
  if (page) {
    event.waitUntil(self.clients.openWindow(page));
  }
});

function read(data) {
  try {
    const message = data.json();
    return message && typeof message.title === "string" ? message : {};
  } catch {
    return {};
  }
}

async function notify(message) {
  const tag = message.tag || "";
  const shown = tag ? await self.registration.getNotifications({ tag }) : [];
  const options = {
    body: message.body || "",
    tag,
    // The same message again takes the place of the first in silence; a later one of the same ask makes itself heard.
    renotify: shown.some((other) => (other.data || {}).delivery !== message.delivery),
    lang: message.lang || "",
    dir: "auto",
    data: { url: message.url, actions: message.actions, delivery: message.delivery },
    actions: (message.actions || []).map(({ action, title }) => ({ action, title })),
  };
  if (message.image) {
    options.icon = message.image;
    options.image = message.image;
    if (!("image" in Notification.prototype) && message.image_alt) {
      options.body += `\n${message.image_alt}`;
    }
  }
  // Browsers want a notification for every push, and show one of their own where there is none.
  await self.registration.showNotification(message.title || self.location.hostname, options);
}

function destination(data, pressed) {
  const button = (data.actions || []).find(({ action }) => action === pressed);
  const page = (button && button.url) || data.url;
  if (!page) {
    return "";
  }
  const url = new URL(page, self.location.origin);
  if (url.protocol !== "https:" && url.origin !== self.location.origin) {
    return "";
  }
  if (button && !button.url) {
    url.searchParams.set("answer", pressed.split("|")[0]);
  }
  return url.href;
}
