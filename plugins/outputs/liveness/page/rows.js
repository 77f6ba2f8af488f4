// The table of components: a row each, made when it comes near the view.

import { arrange, element, isolated, setText } from './dom.js';
import { busOf, keyOf } from './model.js';
import { lookOf, textOf } from './state.js';
import { clock, describe, duration, exact, percent } from './text.js';

const svg = 'http://www.w3.org/2000/svg';

// The list is cut into blocks of so many rows. Those far from the view are empty, and about as high as their rows would
// be: so it takes as long to show thousands of components as to show a few, and the end of the list is where it is.
const perBlock = 30;

export class Rows {
  #rows = new Map(); // by key of the component, those that were made
  #blocks = []; // elements
  #near = new Set(); // blocks near the view
  #shown = []; // what was shown last

  constructor(table, container) {
    this.table = table;
    this.container = container;
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          this.#near.add(entry.target);
        } else {
          this.#near.delete(entry.target);
        }
      }
      this.show(...this.#shown);
    }, { rootMargin: '100% 0px' });
  }

  // Show shows a list of components.
  show(list, model, at, severalBuses) {
    this.#shown = [list, model, at, severalBuses];
    const focused = document.activeElement;
    const used = new Map();
    this.container.classList.toggle('several-buses', severalBuses);
    this.#cut(Math.ceil(list.length / perBlock));
    this.table.setAttribute('aria-rowcount', String(list.length + 1)); // with the head
    this.#blocks.forEach((block, i) => {
      const from = i * perBlock;
      const part = list.slice(from, from + perBlock);
      const filled = this.#near.has(block) || block.contains(focused);
      block.classList.toggle('far', !filled);
      block.style.setProperty('--rows', part.length);
      const elements = [];
      part.forEach(([key, component], j) => {
        let row = this.#rows.get(key);
        if (filled) {
          row ??= new Row(component);
          row.update(component, model, at, severalBuses, from + j + 2);
          elements.push(...row.elements());
        }
        if (row) {
          used.set(key, row);
        }
      });
      arrange(block, elements);
    });
    this.#rows = used;
    if (focused !== document.activeElement && focused.isConnected) { // it was moved, by which it has lost the focus
      focused.focus({ preventScroll: true });
    }
  }

  // Cut makes as many blocks as are needed.
  #cut(count) {
    while (this.#blocks.length > count) {
      const block = this.#blocks.pop();
      this.observer.unobserve(block);
      this.#near.delete(block);
      block.remove();
    }
    while (this.#blocks.length < count) {
      const block = element('div');
      if (!this.#blocks.length) {
        this.#near.add(block); // it is looked at first
      }
      this.#blocks.push(block);
      this.container.append(block);
      this.observer.observe(block);
    }
  }
}

class Row {
  #details = null; // of an open row
  #history = '';
  #state = null; // that is shown
  #number = 0; // in the table

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

  // Update shows a component in the row of this number.
  update(component, model, at, severalBuses, number) {
    this.component = component;
    this.model = model;
    const state = model.state(component, at);
    const now = model.now(at);
    if (number !== this.#number) {
      this.#number = number;
      this.row.setAttribute('aria-rowindex', String(number));
    }
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
    setText(this.silence, `${state === 'unknown' ? '–' : exact(component.silence_s)} / ${exact(component.threshold_s)}`);
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
