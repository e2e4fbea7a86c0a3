// Beside each password a button that shows what is typed. Without a script there is none.
for (const field of document.querySelectorAll(".secret-field")) {
  const input = field.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "show";
  button.setAttribute("aria-controls", input.id);
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? field.dataset.hide : field.dataset.show;
  };
  button.addEventListener("click", () => show(input.type === "password"));
  // A browser keeps what was sent as a password, and nothing else.
  input.form.addEventListener("submit", () => show(false));
  show(false);
  field.append(button);
}
