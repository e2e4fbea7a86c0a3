// Moments by the reader's own clock, in the page's language as the reader's region has it.
const language = navigator.languages.find((one) => one.startsWith(document.documentElement.lang));
const format = new Intl.DateTimeFormat(language ?? document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = time.textContent;
  time.textContent = format.format(new Date(time.dateTime));
}
