// The table of components: a row each, made when it is shown first.

import { arrange, element, isolated, setText } from './dom.js';
import { busOf, keyOf, lookOf, textOf } from './model.js';
import { clock, describe, duration, exact, percent } from './text.js';

const svg = 'http://www.w3.org/2000/svg';

// How many rows are made at first. When the end of the list comes into view, there are half as many more: each time all
// rows are looked at, and thousands would take long to reach in equal steps.
const first = 200;

export class Rows {
  #limit = first;
  #rows = new Map(); // by key of the component
  #watching = false; // whether the end comes into view

  constructor(container, sentinel) {
    this.container = container;
    this.sentinel = sentinel;
    this.onMore = () => {};
    this.observer = new IntersectionObserver((entries) => {
      if (entries.some((e) => e.isIntersecting)) {
        // An observer reports changes only, and the end may still be in view when there are more rows. So it is begun
        // anew if there are more.
        this.observer.unobserve(sentinel);
        this.#watching = false;
        this.#limit = Math.ceil(1.5 * this.#limit);
        this.onMore();
      }
    }, { rootMargin: '800px' });
  }

  // Reset shows the beginning of another list.
  reset() {
    this.#limit = first;
  }

  // Show shows a list of components.
  show(list, model, at, severalBuses) {
    const used = new Map();
    const elements = [];
    for (const [key, component] of list.slice(0, this.#limit)) {
      const row = this.#rows.get(key) ?? new Row(component);
      used.set(key, row);
      row.update(component, model, at, severalBuses);
      elements.push(...row.elements());
    }
    this.#rows = used;
    arrange(this.container, elements);
    if (list.length > this.#limit && !this.#watching) {
      this.observer.observe(this.sentinel);
      this.#watching = true;
    }
  }
}

class Row {
  #details = null; // of an open row
  #history = '';
  #state = null; // that is shown

  constructor(component) {
    const cell = (...children) => element('span', { role: 'cell' }, ...children);
    this.name = element('button', { type: 'button', class: 'name', 'aria-expanded': 'false' }, isolated(component.name));
    this.bus = element('span', { class: 'of-bus' }, isolated(''));
    this.niche = cell(isolated(''));
    this.state = cell();
    this.seen = cell();
    this.silence = cell();
    this.available = cell();
    this.strip = document.createElementNS(svg, 'svg');
    this.strip.setAttribute('class', 'history');
    this.strip.setAttribute('role', 'img');
    this.strip.setAttribute('viewBox', '0 0 96 1');
    this.strip.setAttribute('preserveAspectRatio', 'none');
    for (const cell of [this.seen, this.silence, this.available]) {
      cell.className = 'number';
    }
    this.row = element('div', { role: 'row', class: 'row' }, cell(this.name, this.bus), this.niche, this.state, this.seen, this.silence,
      this.available, cell(this.strip));
    this.row.dataset.name = component.name;
    this.name.addEventListener('click', () => this.#toggle());
  }

  elements() {
    return this.#details ? [this.row, this.#details] : [this.row];
  }

  update(component, model, at, severalBuses) {
    this.component = component;
    this.model = model;
    const state = model.state(component, at);
    const now = model.now(at);
    if (state !== this.#state) {
      this.#state = state;
      this.row.dataset.state = state;
      this.state.className = `state ${lookOf(state)}-now`;
      setText(this.state, textOf(state));
    }
    const title = state === 'unknown' ? `reported as ${textOf(component.reported_state)} ${duration(now - component.reported)} ago` : '';
    if (this.state.title !== title) {
      this.state.title = title;
    }
    setText(this.bus.firstChild, severalBuses || component.watch ? busOf(component) : '');
    setText(this.niche.firstChild, component.niche ?? '');
    setText(this.seen, component.last_seen ? `${duration(now - component.last_seen)} ago` : 'never');
    setText(this.silence, `${exact(component.silence_s)} / ${exact(component.threshold_s)}`);
    setText(this.available, percent(component.availability));
    this.#draw(component);
    if (this.#details) {
      this.#describe(now);
    }
  }

  // Draw draws the history: all runs of one state are one path.
  #draw(component) {
    if (component.history === this.#history) {
      return;
    }
    this.#history = component.history;
    const paths = new Map();
    for (const run of component.history.matchAll(/([^.])\1*/g)) {
      const length = run[0].length;
      paths.set(run[1], `${paths.get(run[1]) ?? ''}M${run.index} 0h${length}v1h-${length}z`);
    }
    this.strip.replaceChildren(...[...paths].map(([letter, d]) => {
      const path = document.createElementNS(svg, 'path');
      path.setAttribute('class', letter);
      path.setAttribute('d', d);
      return path;
    }));
    const silent = component.history.split('s').length - 1;
    this.strip.setAttribute('aria-label', `history: silent in ${silent} of ${component.history.length} parts`);
  }

  #toggle() {
    if (this.#details) {
      this.#details.remove();
      this.#details = null;
    } else {
      this.#details = element('div', { role: 'row', class: 'details' });
      this.#describe(this.model.now(performance.now()));
      this.row.after(this.#details);
    }
    this.name.setAttribute('aria-expanded', String(this.#details !== null));
  }

  #describe(now) {
    const c = this.component;
    const facts = [
      ['Bus', busOf(c)],
      ['Niche', c.niche ?? 'none'],
      [`Reported as ${textOf(c.reported_state)}`, `since ${clock(c.since, now)}, last ${duration(now - c.reported)} ago`],
      ['Last heartbeat', c.last_seen ? clock(c.last_seen, now) : 'never'],
      ['Threshold', exact(c.threshold_s)],
      ['Interval of heartbeats', c.interval_s ? exact(c.interval_s) : 'not known yet'],
      ['Lost heartbeats', percent(c.loss)],
      ['Heartbeats', c.beats.toLocaleString()],
      ['Starts of streams', c.starts.toLocaleString()],
      ['Silences', c.gaps.toLocaleString()],
    ];
    const events = this.model.events.filter((e) => keyOf(e) === keyOf(c)).slice(0, 20);
    const text = JSON.stringify([facts, events]);
    if (text === this.#details.dataset.text) {
      return;
    }
    this.#details.dataset.text = text;
    this.#details.replaceChildren(element('div', { role: 'cell', 'aria-colspan': '7' },
      element('dl', {}, ...facts.map(([term, value]) => element('div', {}, element('dt', {}, term), element('dd', {}, isolated(value))))),
      element('ol', {}, ...events.map((e) => element('li', {}, element('time', {}, clock(e.time, now)), isolated(describe(e)))))));
  }
}
