/**
 * <dibs-username>: an input for a username that says while one types whether it can be had.
 *
 *     <dibs-username><input name="username" required></dibs-username>
 *
 * Everything it says of a name comes from the service, which alone knows the rules. The input,
 * and what is said, stand in the page itself and not in a shadow tree: so the input is submitted,
 * labelled and filled in as ever, and its `aria-describedby` reaches the message.
 */
const SAID = {} // by language, put in by the service: its few words that no answer holds

const HOME = new URL('.', import.meta.url)
const SLOW = 300 // ms after which it says that it is checking
const LIMIT = 10_000 // ms for an answer
const LONGEST = 30 // s between two tries, unless the service asks for more
const HOUR = 3600 // s: and never longer than this

const SHEET = new CSSStyleSheet()
// In a layer, so that whatever the page itself says goes first.
SHEET.replaceSync(`@layer dibs {
dibs-username {
  --_free: var(--dibs-free, light-dark(#116329, #6fdd8b));
  --_refused: var(--dibs-refused, light-dark(#a3201a, #ffa198));
  --_quiet: var(--dibs-quiet, light-dark(#555b63, #aab1ba));
  --_gap: var(--dibs-gap, .375rem);
  display: block;
}
.dibs-answer { margin-block-start: var(--_gap); min-block-size: 1.5em; line-height: 1.5; color: var(--_quiet) }
.dibs-message { margin: 0; overflow-wrap: anywhere; text-align: -webkit-match-parent; text-align: match-parent }
.dibs-message span { display: block }
dibs-username:state(free) .dibs-message { color: var(--_free); span::before { content: "\\2713\\a0" / "" } }
dibs-username:is(:state(taken), :state(invalid)) .dibs-message { color: var(--_refused); span::before { content: "\\2715\\a0" / "" } }
.dibs-offers { display: flex; flex-wrap: wrap; align-items: center; gap: var(--_gap); margin-block-start: var(--_gap) }
.dibs-offers[hidden] { display: none }
.dibs-offers button {
  font: inherit; color: var(--dibs-offer, light-dark(#1f2328, #e8eaed)); cursor: pointer;
  max-inline-size: 100%; overflow-wrap: anywhere;
  min-block-size: 2rem; padding: .125rem .75rem; background: var(--dibs-offer-background, transparent);
  border: 1px solid var(--_quiet); border-radius: var(--dibs-radius, 1rem);
}
.dibs-offers button:hover { border-color: currentcolor }
.dibs-offers button:focus-visible { outline: 2px solid currentcolor; outline-offset: 2px }
}`)

const COPIED = ['name', 'value', 'placeholder', 'autocomplete', 'maxlength', 'required', 'disabled']
let count = 0

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

class DibsUsername extends HTMLElement {
  static formAssociated = true
  static observedAttributes = ['disabled', 'required']

  #internals = this.attachInternals()
  #input // the page's own, or one that is made if there is none
  #made = false
  #message
  #offers
  #name = '' // what was last asked about, or is about to be
  #turn = 0 // grows with every change: an answer to an earlier question is never shown
  #tries = 0
  #asking // aborts the request
  #timer
  #slow
  #life // ends the listeners

  connectedCallback () {
    const start = () => this.isConnected && this.#start()
    // While the page is being read, the input may be yet to come.
    if (document.readyState !== 'loading' || this.querySelector('input')) start()
    else document.addEventListener('DOMContentLoaded', start, { once: true })
  }

  disconnectedCallback () {
    this.#stop()
    this.#life?.abort()
  }

  attributeChangedCallback (attribute, _, value) {
    if (this.#input) this.#input[attribute] = value !== null
  }

  formDisabledCallback (disabled) {
    if (disabled && this.#input) this.#clear()
  }

  formResetCallback () {
    this.#changed(0)
  }

  formStateRestoreCallback (state) {
    if (this.#made && typeof state === 'string') this.value = state
  }

  focus (options) {
    this.#input?.focus(options)
  }

  get input () { return this.#input }
  get form () { return this.#internals.form }
  get value () { return this.#input?.value ?? '' }
  set value (name) {
    if (!this.#input) return
    this.#input.value = name
    this.#changed(0)
  }

  #start () {
    if (!this.#input) this.#enhance()
    const root = this.getRootNode()
    if (!root.adoptedStyleSheets.includes(SHEET)) root.adoptedStyleSheets.push(SHEET)
    const { signal } = this.#life = new AbortController()
    const typed = event => {
      if (event.isComposing) return
      // A phone's keyboard puts a blank behind a word that is picked: none is ever part of a name.
      const name = this.#input.value.trim()
      if (event.type === 'change' && name && name !== this.#input.value) this.#input.value = name
      this.#changed(this.getAttribute('debounce') ?? 250)
    }
    for (const kind of ['input', 'change', 'compositionend']) {
      this.#input.addEventListener(kind, typed, { signal })
    }
    // What the browser fills in by itself when one comes back to a page.
    addEventListener('pageshow', () => this.#changed(0), { signal })
    addEventListener('online', () => this.#tries && this.#ask(), { signal })
    this.#changed(0)
  }

  #enhance () {
    const input = this.#input = this.querySelector('input') ?? this.#make()
    for (const [name, value] of Object.entries({ autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', dir: 'auto' })) {
      if (!input.hasAttribute(name)) input.setAttribute(name, value)
    }
    this.#label(input)
    for (const name of ['disabled', 'required']) if (this.hasAttribute(name)) input[name] = true
    const id = `dibs-message-${++count}`
    this.#message = element('p', { id, className: 'dibs-message', dir: 'auto' })
    this.#offers = element('div', { className: 'dibs-offers', hidden: true, role: 'group' })
    const answer = element('div', { className: 'dibs-answer', role: 'status', ariaLive: 'polite' }, this.#message, this.#offers)
    const described = input.getAttribute('aria-describedby')
    input.setAttribute('aria-describedby', described ? `${described} ${id}` : id)
    this.append(answer)
  }

  #make () {
    this.#made = true
    const input = element('input', { type: 'text' })
    for (const name of COPIED) {
      // The element itself is submitted then, and filled in again by the browser.
      if (name !== 'name' && this.hasAttribute(name)) input.setAttribute(name, this.getAttribute(name))
    }
    this.prepend(input)
    return input
  }

  // A label around the element is this one's, and not the input's.
  #label (input) {
    const labels = [...this.#internals.labels]
    for (const label of labels) label.addEventListener('click', () => input.focus())
    if (input.labels.length || input.ariaLabel) return
    input.ariaLabel = this.ariaLabel ?? labels.map(label => label.textContent.trim()).join(' ')
  }

  #changed (wait) {
    const input = this.#input
    if (!input) return
    const name = input.value
    if (this.#made) this.#internals.setFormValue(name)
    if (name === this.#name) return
    // What the page came with needs no answer: it is one's own name, or was refused there.
    if (!name || name === input.defaultValue || input.matches(':disabled')) return this.#clear(name)
    this.#stop()
    this.#name = name
    input.setCustomValidity('') // the old answer stays to be read and stops nobody
    this.#timer = setTimeout(() => this.#ask(), wait)
  }

  #clear (name = '') {
    this.#stop()
    this.#name = name
    if (this.#internals.states.size) this.#show('idle', [])
  }

  #stop () {
    this.#turn++
    this.#tries = 0
    this.#asking?.abort()
    clearTimeout(this.#timer)
    clearTimeout(this.#slow)
  }

  async #ask () {
    const turn = ++this.#turn
    const name = this.#name
    clearTimeout(this.#timer)
    this.#asking?.abort()
    const asking = this.#asking = new AbortController()
    const limit = setTimeout(() => asking.abort(), LIMIT)
    // Of further tries nothing is said, or the message would come and go.
    if (!this.#tries) this.#slow = setTimeout(() => this.#show('checking', [this.#words().checking]), SLOW)
    let reply, answer
    try {
      reply = await fetch(this.#address(name), { signal: asking.signal, headers: { 'Accept-Language': this.#language() } })
      if (reply.ok) answer = await reply.json()
    } catch {
      // Without an answer: that is what is told below.
    }
    clearTimeout(limit)
    if (turn !== this.#turn) return
    clearTimeout(this.#slow)
    if (typeof answer?.available === 'boolean') this.#tell(answer, reply)
    else this.#fail(reply)
  }

  #tell (answer, reply) {
    this.#tries = 0
    const language = reply.headers.get('Content-Language')?.split('-')[0]
    const words = this.#words(language)
    if (answer.available) {
      const [before, after] = words.free.split('%(name)s')
      const line = element('span', {}, before, element('bdi', {}, answer.name), after)
      return this.#show('free', [line], { answer, language })
    }
    // What is taken has no broken rules, and may have other names to offer.
    const state = answer.reasons.length ? 'invalid' : 'taken'
    const lines = answer.reasons.map(reason => element('span', {}, reason.detail, ' '))
    this.#show(state, lines.length ? lines : [element('span', {}, answer.message)], { answer, language })
    if (!this.hasAttribute('advisory')) this.#input.setCustomValidity(answer.message)
  }

  #fail (reply) {
    const words = this.#words()
    const offline = !reply && !navigator.onLine
    this.#show(offline ? 'offline' : 'unknown', [offline ? words.offline : words.unknown])
    if (reply && reply.status < 500 && reply.status !== 429) return
    const after = reply?.headers.get('Retry-After')
    const seconds = Number(after) || (Date.parse(after) - Date.now()) / 1000 || Math.min(2 ** this.#tries, LONGEST)
    this.#tries++
    this.#timer = setTimeout(() => this.#ask(), 1000 * Math.min(Math.max(seconds, 1), HOUR))
  }

  #show (state, message, { answer, language = this.#language() } = {}) {
    const { states } = this.#internals
    const input = this.#input
    states.clear()
    if (state !== 'idle') states.add(state)
    if (state === 'taken' || state === 'invalid') input.ariaInvalid = 'true'
    else input.removeAttribute('aria-invalid')
    input.setCustomValidity('')
    this.#message.lang = this.#offers.lang = language
    this.#message.replaceChildren(...message)
    this.#offer(answer?.suggestions ?? [], this.#words(language).suggestions)
    this.dispatchEvent(new CustomEvent('dibs-check', {
      bubbles: true, composed: true, detail: { state, name: this.#name, answer: answer ?? null }
    }))
  }

  #offer (suggestions, label) {
    const buttons = suggestions.map(({ name }) => {
      const button = element('button', { type: 'button' }, element('bdi', {}, name))
      button.addEventListener('click', () => this.#take(name))
      return button
    })
    this.#offers.hidden = !buttons.length
    this.#offers.ariaLabel = label
    this.#offers.replaceChildren(...buttons.length ? [element('span', { dir: 'auto' }, label), ...buttons] : [])
  }

  #take (name) {
    this.#input.focus()
    this.#input.value = name
    for (const kind of ['input', 'change']) this.#input.dispatchEvent(new Event(kind, { bubbles: true }))
    if (this.#name === name) this.#ask()
  }

  #address (name) {
    const src = this.getAttribute('src')
    const base = src === null ? HOME : new URL(src.replace(/\/?$/, '/'), document.baseURI)
    return new URL('usernames/' + encodeURIComponent(name.toWellFormed()), base)
  }

  #language () {
    const wanted = [this.closest('[lang]')?.lang, ...navigator.languages]
    const known = wanted.map(tag => tag?.split('-')[0].toLowerCase()).find(tag => Object.hasOwn(SAID.words, tag))
    return known ?? SAID.locale
  }

  #words (language = this.#language()) {
    return SAID.words[language] ?? SAID.words[this.#language()]
  }
}

if (!customElements.get('dibs-username')) customElements.define('dibs-username', DibsUsername)
